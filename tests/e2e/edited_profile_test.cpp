// The real runtimes take the profiles that an edit makes of what engines write: the container
// starts under a plain agent, execs and forks.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"
#include "tests/spec_samples.h"

namespace execseal::e2e {
namespace {

class EditedProfile : public testing::TestWithParam<std::tuple<Engine, std::string>> {
  protected:
    Scratch scratch_;
};

TEST_P(EditedProfile, StartsExecsAndForksUnderTheRealRuntime) {
    const auto& [engine, sample] = GetParam();
    const FloorAgent agent(FloorAgent::Kind::kContinue, scratch_);
    Bundle bundle(scratch_.path() / "bundle");
    bundle.args({"/bin/sh", "-c", "(/bin/echo forked); x=$(/bin/echo substituted); echo $x"});

    Plan plan = sample_plan();
    plan.listener_path = agent.socket();
    EditInputs inputs = sample_inputs();
    // It reads the state: crun, which writes it, gets SIGPIPE from a hook that is gone by then.
    const auto hook = scratch_.path() / "hook";
    write_file(hook, "#!/bin/sh\nexec cat >/dev/null\n");
    std::filesystem::permissions(hook, std::filesystem::perms::owner_all);
    inputs.hook = hook.string();
    bundle.config()["linux"]["seccomp"] = load_sample(sample)["linux"]["seccomp"];
    const auto edited = edit_spec(bundle.config(), plan, inputs);
    ASSERT_TRUE(edited.has_value()) << edited.error().text();
    bundle.config() = *edited;
    bundle.write();

    const Outcome outcome =
        Container(Runtime{.engine = engine}, bundle, scratch_).run(std::chrono::seconds{30});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.text();
    EXPECT_EQ(outcome.out, "forked\nsubstituted\n") << outcome.text();
}

INSTANTIATE_TEST_SUITE_P(
    Samples, EditedProfile,
    testing::Combine(testing::Values(Engine::kRunc, Engine::kCrun),
                     testing::Values("podman-default", "docker-default", "docker-sysadmin",
                                     "containerd-ctr-seccomp", "podman-privileged")),
    [](const auto& sample) {
        std::string name =
            std::string(engine_name(std::get<0>(sample.param))) + "_" + std::get<1>(sample.param);
        std::replace(name.begin(), name.end(), '-', '_');
        return name;
    });

}  // namespace
}  // namespace execseal::e2e
