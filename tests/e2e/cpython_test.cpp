// CPython's own tests of process creation (Debian's libpython3.11-testsuite), in a container with
// the host's /usr: test by test the same result with execseal as without.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

using Results = std::map<std::string, std::string>;  // "test_x (test.test_posix.Y.test_x)" -> "ok"

// The lines of `python3 -m test -v`; what a test itself prints may stand before the result.
Results results_of(const std::string& output) {
    static const std::regex kStart(R"(^(test\w+ \([\w.]+\))( \.\.\. )?(.*)$)");
    static const std::regex kEnd(R"((ok|FAIL|ERROR|skipped .*|expected failure)$)");
    Results results;
    std::istringstream lines(output);
    std::string line;
    std::string test;
    while (std::getline(lines, line)) {
        std::smatch match;
        if (std::regex_match(line, match, kStart)) {
            test = match[1];
        }
        if (!test.empty() && std::regex_search(line, match, kEnd)) {
            results[test] = match[1];
            test.clear();
        }
    }
    return results;
}

class CPython : public testing::Test {
  protected:
    Results run_suite(const Runtime& runtime, Bundle& bundle) {
        bundle.rights(Rights::kDocker)
            .args({"/usr/bin/python3", "-m", "test", "-v", "test_subprocess", "test_posix"})
            .env("HOME", "/tmp")
            .env("LANG", "C.UTF-8");
        bundle.config()["process"]["cwd"] = "/tmp";
        bundle.write();
        const Outcome outcome = Container(runtime, bundle, scratch_).run(std::chrono::minutes{5});
        EXPECT_FALSE(outcome.timed_out);
        Results results = results_of(outcome.out + outcome.err);
        EXPECT_GT(results.size(), 400U) << outcome.text();
        return results;
    }

    Scratch scratch_;
};

TEST_F(CPython, SubprocessAndPosixTestsPassBare) {
    Bundle bundle(scratch_.path() / "bare", RootFs::kHostUsr);
    const Results bare = run_suite({.engine = Engine::kRunc}, bundle);
    for (const auto& [test, result] : bare) {
        EXPECT_TRUE(result != "FAIL" && result != "ERROR") << test << ": " << result;
    }
}

class CPythonSealed : public CPython {
  protected:
    void expect_the_same(const char* freeze) {
        Bundle bare_bundle(scratch_.path() / "bare", RootFs::kHostUsr);
        const Results bare = run_suite({.engine = Engine::kRunc}, bare_bundle);

        Node node(scratch_);
        node.settings()["log"]["level"] = "info";
        node.policy(
            "python",
            {{"apiVersion", "execseal/v1"},
             {"name", "python"},
             {"default", "allow"},
             {"protect", {{"freeze", freeze}, {"verify", true}, {"freeze_budget_ms", 10000}}},
             {"rules",
              {{{"id", "never"},
                {"verdict", "deny"},
                {"exe", "/bin/never"},
                {"argv", {{"contains", {"never"}}}}}}}});
        node.write();
        Bundle bundle(scratch_.path() / "sealed", RootFs::kHostUsr);
        bundle.annotation("io.execseal.policy", "python");
        const Results sealed = run_suite(node.runtime(), bundle);
        Results differs;
        std::set_symmetric_difference(bare.begin(), bare.end(), sealed.begin(), sealed.end(),
                                      std::inserter(differs, differs.end()));
        EXPECT_EQ(differs, Results{}) << "of " << bare.size() << " tests, bare or sealed";
        EXPECT_EQ(sealed.size(), bare.size());
        EXPECT_GT(node.events().size(), 100U) << "nobody judged anything";
    }
};

TEST_F(CPythonSealed, SubprocessAndPosixTestsGiveTheSameWithTheFreeze) {
    expect_the_same("pidns");
}

TEST_F(CPythonSealed, SubprocessAndPosixTestsGiveTheSameWithVerificationAlone) {
    expect_the_same("off");
}

}  // namespace
}  // namespace execseal::e2e
