// Programs that trace their own children, from Debian, in a container with the host's /usr: their
// execs run and are judged in the modes that only watch, and are refused by one event each
// elsewhere; nobody hangs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

using nlohmann::ordered_json;

// What it starts runs /usr/bin/id, then /usr/bin/expr, which the policy denies.
constexpr const char* kScript = "/usr/bin/id -u; /usr/bin/expr 1 + 1 || echo expr=$?";

struct Tracer {
    const char* name;
    std::vector<std::string> argv;
    bool own_loader;  // its children execute a loader of its own, which loads their programs
};

std::vector<Tracer> tracers() {
    return {{"strace",
             {"/usr/bin/strace", "-f", "-e", "trace=execve", "/bin/sh", "-c", kScript},
             false},
            {"gdb",
             {"/usr/bin/gdb", "--batch", "-nx", "-iex", "set debuginfod enabled off", "-ex", "run",
              "--args", "/bin/sh", "-c", kScript},
             false},
            {"proot", {"/usr/bin/proot", "-r", "/", "/bin/sh", "-c", kScript}, true}};
}

// Each as a line of its own; gdb writes between them.
bool printed(const Outcome& outcome, const std::vector<std::string>& lines) {
    const std::vector<std::string> all = lines_of(outcome.out);
    return std::all_of(lines.begin(), lines.end(), [&](const std::string& line) {
        return std::find(all.begin(), all.end(), line) != all.end();
    });
}

class Traced : public testing::TestWithParam<Tracer> {
  protected:
    void TearDown() override {
        if (HasFailure()) {
            for (const auto& event : node_.events()) {
                std::fprintf(stderr, "%s\n", event.dump().c_str());
            }
        }
    }

    Outcome run_under(const ordered_json& protect, const char* mode = "enforce") {
        node_
            .policy("traced", {{"apiVersion", "execseal/v1"},
                               {"name", "traced"},
                               {"default", "allow"},
                               {"protect", protect},
                               {"rules",
                                {{{"id", "no-expr"}, {"verdict", "deny"}, {"exe", "**/expr"}},
                                 {{"id", "never"},
                                  {"verdict", "deny"},
                                  {"exe", "**/never"},
                                  {"argv", {{"contains", {"never"}}}}}}}})
            .write();
        const auto folder = scratch_.path() / ("bundle" + std::to_string(++number_));
        Bundle bundle(folder, RootFs::kHostUsr);
        bundle.rights(Rights::kDocker)
            .args(GetParam().argv)
            .env("HOME", "/tmp")
            .annotation("io.execseal.policy", "traced")
            .annotation("io.execseal.mode", mode);
        bundle.write();
        return Container(node_.runtime(), bundle, scratch_).run(std::chrono::minutes{3});
    }

    [[nodiscard]] std::vector<nlohmann::json> events_with(const std::string& member,
                                                          const std::string& value) const {
        std::vector<nlohmann::json> found;
        for (const auto& event : node_.events()) {
            if (event.value(member, "") == value) {
                found.push_back(event);
            }
        }
        return found;
    }

    Scratch scratch_;
    Node node_{scratch_};
    int number_ = 0;
};

TEST_P(Traced, RunsBareAsTheControl) {
    Bundle bundle(scratch_.path() / "bare", RootFs::kHostUsr);
    bundle.rights(Rights::kDocker).args(GetParam().argv).env("HOME", "/tmp").write();
    const Outcome bare =
        Container({.engine = Engine::kRunc}, bundle, scratch_).run(std::chrono::minutes{3});
    EXPECT_FALSE(bare.timed_out);
    EXPECT_TRUE(printed(bare, {"0", "2"})) << bare.text();
}

TEST_P(Traced, RunsInTheModesThatOnlyWatch) {
    const Outcome outcome = run_under({{"freeze", "pidns"}}, "audit");
    EXPECT_FALSE(outcome.timed_out);
    EXPECT_TRUE(printed(outcome, {"0", "2"})) << outcome.text();
    if (!GetParam().own_loader) {
        EXPECT_EQ(node_.events_of("/usr/bin/expr").at(0)["would_be"], "deny");
    }
}

TEST_P(Traced, IsRefusedByOneClearEventWhereTheExecIsToBeBinding) {
    std::size_t refused = 0;
    for (const ordered_json& protect :
         {ordered_json::object(), ordered_json{{"freeze", "pidns"}},
          ordered_json{{"freeze", "siblings"}}, ordered_json{{"freeze", "off"}},
          ordered_json{{"freeze", "pidns"}, {"verify", false}}}) {
        const Outcome outcome = run_under(protect);
        EXPECT_FALSE(outcome.timed_out) << protect;
        EXPECT_FALSE(printed(outcome, {"0"}) || printed(outcome, {"2"})) << outcome.text();
        ASSERT_TRUE(node_.nothing_left());
        const auto events = events_with("rule", "traced");
        ASSERT_EQ(events.size(), ++refused) << protect;
        EXPECT_TRUE(GetParam().own_loader || events.back()["exe"] == "/usr/bin/dash");
        EXPECT_EQ(events.back()["outcome"], "refused");
        EXPECT_EQ(events.back()["errno"], EPERM);
        const std::string reason = events.back()["reason"];
        EXPECT_NE(reason.find("TRACED PROGRAMS"), std::string::npos) << reason;
    }
    EXPECT_TRUE(events_with("exe", "/usr/bin/id").empty());
}

INSTANTIATE_TEST_SUITE_P(Programs, Traced, testing::ValuesIn(tracers()),
                         [](const auto& tracer) { return std::string(tracer.param.name); });

}  // namespace
}  // namespace execseal::e2e
