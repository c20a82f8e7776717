// What stands above an exec, on real containers: by who made a process, however it was made and
// whoever its parent is now; by ptrace and in the kernel.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

using nlohmann::ordered_json;

ordered_json policy_with(const std::string& rules) {
    return {{"apiVersion", "execseal/v1"},
            {"name", "lineage"},
            {"default", "allow"},
            {"rules", ordered_json::parse(rules)}};
}

// /bin/id is the launcher's alone, nothing under the evil program may be /bin/true, and nobody may
// be /bin/touch four execs below the start.
const char* const kRules = R"([
    {"id": "launched", "verdict": "allow", "exe": "/bin/id", "parent": "/bin/launcher"},
    {"id": "no-id", "verdict": "deny", "exe": "/bin/id"},
    {"id": "no-true", "verdict": "deny", "errno": "EPERM", "exe": "/bin/true",
     "ancestor": "/bin/evil"},
    {"id": "no-deep-touch", "verdict": "deny", "exe": "/bin/touch", "depth": {"min": 4}}])";

// Every way to make a process, and then again through the same ways under a launcher that adopts
// orphans: the kernel's word for their parent is the launcher.
const char* const kEveryWay =
    "for way in fork vfork thread-forks thread-execs clone-parent orphan; do "
    "/bin/launcher $way /bin/id; /bin/launcher reaper /bin/evil $way /bin/id; "
    "/bin/evil $way /bin/true; /bin/launcher $way /bin/true; done; ";

std::string answers_to_every_way() {
    std::string text;
    for (const char* const way :
         {"fork", "vfork", "thread-forks", "thread-execs", "clone-parent", "orphan"}) {
        text +=
            std::string(way) + " ran\n" + way + " errno 13\n" + way + " errno 1\n" + way + " ran\n";
    }
    return text;
}

class LineageOf : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        if (GetParam() == std::string("kernel") && !can_bind_in_kernel()) {
            GTEST_SKIP() << "built without clang or libbpf: no BPF programs";
        }
        node_.settings()["audit"]["events_per_second"] = 0;
        node_.policy("lineage", policy_with(kRules)).binding(GetParam()).write();
        bundle_.annotation("io.execseal.policy", "lineage")
            .program("lineage_driver", "/bin/launcher")
            .program("lineage_driver", "/bin/evil");
    }

    Scratch scratch_;
    Node node_{scratch_};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_P(LineageOf, AProcessIsThatOfWhoMadeItWhoeverItsParentIs) {
    bundle_.args({"/bin/sh", "-c", std::string(kEveryWay) + "echo end"}).write();
    Container container(node_.runtime(), bundle_, scratch_);
    const Outcome outcome = container.run();
    EXPECT_EQ(outcome.out, answers_to_every_way() + "end\n") << outcome.text();
    const auto denied = node_.events_of("/bin/true").front();
    EXPECT_NE(denied["reason"].get<std::string>().find("ancestor is \"/bin/evil\""),
              std::string::npos)
        << denied;
    EXPECT_EQ(denied["above"][0]["exe"], "/bin/evil") << denied;
    EXPECT_EQ(denied["above"][1]["exe"], "/bin/sh") << denied;
    EXPECT_EQ(denied["depth"], 2) << denied;
    EXPECT_FALSE(denied.contains("above_unknown")) << denied;
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(LineageOf, AnExecWithoutAForkIsOneStepToo) {
    // The first program has nothing above it, so that each step below is one more.
    bundle_
        .args({"/bin/launcher", "chain", "/bin/evil", "chain", "/bin/launcher", "chain", "/bin/sh",
               "-c",
               "/bin/touch /tmp/x 2>/dev/null; echo $?; /bin/true; echo $?; /bin/id; echo $?"})
        .write();
    Container container(node_.runtime(), bundle_, scratch_);
    EXPECT_EQ(container.run().out, "126\n126\n126\n");
    bundle_
        .args({"/bin/launcher", "chain", "/bin/sh", "-c",
               "/bin/touch /tmp/x; echo $?; /bin/true; echo $?; exec /bin/launcher fork "
               "/bin/id"})
        .write();
    Container control(node_.runtime(), bundle_, scratch_);
    EXPECT_EQ(control.run().out, "0\n0\nfork ran\n");
}

TEST_P(LineageOf, WhoJoinsBeginsALineageOfItsOwn) {
    bundle_.args({"/bin/evil", "reaper", "/bin/sleep", "1000"}).write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0) << container.err();
    EXPECT_EQ(container.exec({"/bin/true"}).exit_code, 0) << "the container's first program is not "
                                                             "above it";
    EXPECT_NE(container.exec({"/bin/id"}).exit_code, 0) << "nobody has launched it";
    EXPECT_EQ(container.exec({"/bin/launcher", "fork", "/bin/id"}).out, "fork ran\n");
    EXPECT_EQ(container.exec({"/bin/evil", "fork", "/bin/true"}).out, "fork errno 1\n");
    const auto joined = node_.events_of("/bin/true", 2).front();
    EXPECT_EQ(joined["depth"], 0) << joined;
    EXPECT_TRUE(joined["above"].empty()) << joined;
    EXPECT_FALSE(joined.contains("above_unknown")) << joined;
    EXPECT_EQ(container.kill("KILL").exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(Bindings, LineageOf, testing::Values("ptrace", "kernel"),
                         [](const auto& binding) { return std::string(binding.param); });

class Lineages : public testing::Test {
  protected:
    Scratch scratch_;
    Node node_{scratch_};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_F(Lineages, AreKnownWhereNothingIsEnforced) {
    node_.policy("lineage", policy_with(kRules)).write();
    bundle_.annotation("io.execseal.policy", "lineage")
        .annotation("io.execseal.mode", "audit")
        .program("lineage_driver", "/bin/launcher")
        .program("lineage_driver", "/bin/evil")
        .args({"/bin/sh", "-c",
               "/bin/launcher fork /bin/id; /bin/evil fork /bin/id; /bin/evil orphan /bin/true"})
        .write();
    Container container(node_.runtime(), bundle_, scratch_);
    const Outcome outcome = container.run();
    EXPECT_EQ(outcome.out, "fork ran\nfork ran\norphan ran\n") << outcome.text();
    const auto ids = node_.events_of("/bin/id", 2);
    EXPECT_EQ(ids[0]["rule"], "launched") << ids[0];
    EXPECT_EQ(ids[1]["would_be"], "deny") << ids[1];
    EXPECT_EQ(node_.events_of("/bin/true").front()["rule"], "no-true");
}

TEST_F(Lineages, AreNotKnownWhereTheFilterDoesNotTellOfForks) {
    node_.policy("lineage", policy_with("[]")).write();
    bundle_.annotation("io.execseal.policy", "lineage")
        .program("lineage_driver", "/bin/launcher")
        .args({"/bin/sleep", "1000"})
        .write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0) << container.err();
    EXPECT_EQ(container.exec({"/bin/launcher", "fork", "/bin/id"}).out, "fork ran\n");
    node_.policy("lineage", policy_with(kRules));
    const Outcome reload =
        run({.argv = {EXECSEAL_CLI, "reload"}, .env = {{"EXECSEAL_CONFIG", node_.settings_path()}}},
            scratch_.path());
    EXPECT_EQ(reload.exit_code, 0) << reload.text();
    const auto events = node_.events();
    EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const nlohmann::json& event) {
        return event["event"] == "reload" &&
               event.value("lacks", "").find("what stands above an exec is not known") !=
                   std::string::npos;
    }));
    // A rule that lets pass does not hold any more, one that refuses does, and both say so.
    EXPECT_EQ(container.exec({"/bin/launcher", "fork", "/bin/id"}).out, "fork errno 13\n");
    EXPECT_EQ(container.exec({"/bin/launcher", "fork", "/bin/true"}).out, "fork errno 1\n");
    EXPECT_EQ(container.exec({"/bin/true"}).exit_code, 0) << "the control: nothing stands above it";
    EXPECT_EQ(container.exec({"/bin/launcher", "fork", "/bin/echo"}).out, "fork ran\n");
    const auto denied = node_.events_of("/bin/true", 2).front();
    EXPECT_NE(denied["reason"].get<std::string>().find("ancestor is not known"), std::string::npos)
        << denied;
    EXPECT_TRUE(denied["above_unknown"].get<bool>()) << denied;
    EXPECT_EQ(container.kill("KILL").exit_code, 0);
}

}  // namespace
}  // namespace execseal::e2e
