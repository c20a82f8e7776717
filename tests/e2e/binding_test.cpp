// Execs that are bound in the kernel, on real containers: judged, told and cleaned up as by ptrace;
// what the settings ask for and cannot be had is said.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

class KernelBinding : public testing::TestWithParam<Engine> {
  protected:
    void SetUp() override {
        if (!can_bind_in_kernel()) {
            GTEST_SKIP() << "built without clang or libbpf: no BPF programs";
        }
        bundle_.annotation("io.execseal.policy", "small").write();
    }

    Scratch scratch_;
    Node node_{node_with_small_policy(scratch_, GetParam())};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_P(KernelBinding, JudgesTellsAndLeavesNothing) {
    node_.binding("kernel").write();
    bundle_
        .args({"/bin/sh", "-c",
               "/bin/echo runs; /bin/wget 2>/dev/null; echo $?; "
               "i=0; while [ $i -lt 50 ]; do /bin/true || echo failed; i=$((i+1)); done"})
        .write();
    Container container(node_.runtime(), bundle_, scratch_);
    const Outcome outcome = container.run();
    EXPECT_EQ(outcome.out, "runs\n126\n") << outcome.text();
    EXPECT_TRUE(node_.nothing_left());
    const auto events = node_.events();
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.front()["binding"]["by"], "kernel");
    EXPECT_EQ(std::count_if(events.begin(), events.end(),
                            [](const auto& event) {
                                return event["event"] == "exec" && event["exe"] == "/bin/true" &&
                                       event["outcome"] == "executed";
                            }),
              50);
    EXPECT_EQ(node_.events_of("/bin/wget").front()["outcome"], "refused");
}

TEST_P(KernelBinding, AFailedExecIsToldAndTheProgramGoesOn) {
    node_.binding("kernel").write();
    // A program whose interpreter is not there: only the kernel finds out.
    bundle_
        .args({"/bin/sh", "-c",
               "printf '\\177ELF nothing' > /tmp/broken; chmod 755 /tmp/broken; "
               "/tmp/broken 2>/dev/null; /bin/echo went on"})
        .write();
    Container container(node_.runtime(), bundle_, scratch_);
    const Outcome outcome = container.run();
    EXPECT_EQ(outcome.out, "went on\n") << outcome.text();
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(KernelBinding, WhoJoinsIsJudgedToo) {
    node_.binding("kernel").write();
    bundle_.args({"/bin/sleep", "1000"}).write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0);
    EXPECT_EQ(container.exec({"/bin/echo", "joined"}).out, "joined\n");
    EXPECT_NE(container.exec({"/bin/id"}).exit_code, 0);
    EXPECT_EQ(node_.ask_supervisor("status")["binding"]["by"], "kernel");
    EXPECT_EQ(container.kill("KILL").exit_code, 0);
    (void)container.remove();
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(KernelBinding, WhereItCannotBeTheSettingDecides) {
    // The loader is looked for beside the hook.
    const std::filesystem::path alone = scratch_.path() / "alone";
    std::filesystem::create_directories(alone);
    std::filesystem::copy_file(node_.hook(), alone / "execseal-hook");
    node_.settings()["hook"] = alone / "execseal-hook";
    node_.binding("kernel").write();
    bundle_.args({"/bin/echo", "runs"}).write();
    {
        Container container(node_.runtime(), bundle_, scratch_);
        const Outcome refused = container.run();
        EXPECT_NE(refused.exit_code, 0);
        EXPECT_NE(refused.err.find("\"binding\": \"kernel\""), std::string::npos) << refused.text();
        EXPECT_NE(refused.err.find("execseal-binding"), std::string::npos) << refused.text();
    }
    node_.binding("auto").write();
    Container container(node_.runtime(), bundle_, scratch_);
    EXPECT_EQ(container.run().out, "runs\n");
    EXPECT_TRUE(node_.nothing_left());
    const auto events = node_.events();
    const auto start = std::find_if(events.begin(), events.end(),
                                    [](const auto& event) { return event["event"] == "start"; });
    ASSERT_NE(start, events.end());
    EXPECT_EQ((*start)["binding"]["by"], "ptrace");
    EXPECT_NE((*start)["binding"]["reason"].get<std::string>().find("execseal-binding"),
              std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Engines, KernelBinding, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& engine) { return engine_name(engine.param); });

}  // namespace
}  // namespace execseal::e2e
