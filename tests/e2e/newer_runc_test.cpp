// The runc that people run today, beside Debian's: build/tools/runc-1.5.3, by tests/go_tools.sh.
// Where it could not be had, these are skipped.
#include <gtest/gtest.h>

#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"
#include "tests/e2e/entry_checks.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

constexpr const char* kProgram = EXECSEAL_TOOLS "/runc-1.5.3";

class NewerRunc : public testing::Test {
  protected:
    void SetUp() override {
        if (!std::filesystem::exists(kProgram)) {
            GTEST_SKIP() << "runc 1.5.3: " << kProgram << " could not be had";
        }
        node_.settings()["runtimes"] = {kProgram};
        node_.write();
    }
    [[nodiscard]] Bundle& judged(const std::vector<std::string>& argv) {
        bundle_.annotation("io.execseal.policy", "small").args(argv).write();
        return bundle_;
    }

    Scratch scratch_;
    Node node_{node_with_small_policy(scratch_, Engine::kRunc)};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_F(NewerRunc, IsTheOneThatRuns) {
    Container container(node_.runtime(), judged(tour()), scratch_);
    const Outcome version = run(container.command({"--version"}), scratch_.path());
    EXPECT_NE(version.out.find("runc version 1.5.3"), std::string::npos) << version.text();
}

TEST_F(NewerRunc, RunsWhatIsAllowedRefusesWhatIsNotAndLeavesNothing) {
    const Outcome outcome = Container(node_.runtime(), judged(tour()), scratch_).run();
    EXPECT_EQ(outcome.exit_code, kTourExitCode) << outcome.text() << read_file(node_.log_path());
    EXPECT_EQ(outcome.out, kTourOutput);
    (void)expect_tour_in_events(node_);
    EXPECT_TRUE(node_.nothing_left());
}

TEST_F(NewerRunc, ADeniedEntrypointNeverRuns) {
    expect_denied_entrypoint(node_,
                             Container(node_.runtime(), judged({"/bin/wget"}), scratch_).run());
}

TEST_F(NewerRunc, AnExecIsJudgedAsOne) {
    {
        Container container(node_.runtime(), judged({"/bin/sleep", "1000"}), scratch_);
        ASSERT_EQ(container.create().exit_code, 0) << container.err();
        ASSERT_EQ(container.start().exit_code, 0);
        expect_execs_judged(
            node_, [&](const std::vector<std::string>& argv) { return container.exec(argv); });
    }
    EXPECT_TRUE(node_.nothing_left());
}

TEST_F(NewerRunc, APolicyThatCannotBeUsedFailsTheCreateWithItsReason) {
    bundle_.annotation("io.execseal.policy", "none").args(tour()).write();
    expect_not_started(node_, Container(node_.runtime(), bundle_, scratch_).run(),
                       "\"none\": expected a policy file");
}

}  // namespace
}  // namespace execseal::e2e
