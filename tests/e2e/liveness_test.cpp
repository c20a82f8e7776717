// What containers do all day goes on as before: every program of tests/targets/live_*.c runs bare
// (the control: it must succeed there) and under execseal, and must print the same.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

struct Program {
    const char* name;  // tests/targets/live_NAME.c
    void (*prepare)(Bundle& bundle) = nullptr;
};

// live_privilege execs a setuid-root copy of itself and one with a file capability.
void prepare_privilege(Bundle& bundle) {
    bundle.no_new_privileges(false).capability("CAP_SETUID").capability("CAP_SETGID");
    bundle.program("live_privilege", "/bin/live_setuid")
        .program("live_privilege", "/bin/live_filecap");
    const auto bin = bundle.rootfs() / "bin";
    ASSERT_EQ(chown((bin / "live_setuid").c_str(), 0, 0), 0);
    ASSERT_EQ(chmod((bin / "live_setuid").c_str(), 04755), 0);
    const Outcome setcap =
        run({.argv = {"setcap", "cap_net_bind_service=ep", bin / "live_filecap"}}, bundle.path());
    ASSERT_EQ(setcap.exit_code, 0) << setcap.text();
}

void prepare_failing_fork(Bundle& bundle) {
    bundle.config()["linux"]["resources"]["pids"]["limit"] = 40;
}

void PrintTo(const Program& program, std::ostream* out) {
    *out << program.name;
}

constexpr Program kPrograms[] = {
    {"threaded_exec"},
    {"failing_exec"},
    {"bad_pointers"},
    {"spawn"},
    {"concurrent"},
    {"signals"},
    {"job_control"},
    {"bystander"},
    {"privilege", prepare_privilege},
    {"failing_fork", prepare_failing_fork},
};

constexpr std::chrono::seconds kPatience{120};

class Liveness : public testing::TestWithParam<Program> {
  protected:
    // A bundle of its own for each run: the programs leave files behind.
    Bundle make_bundle(const std::string& folder) {
        Bundle bundle(scratch_.path() / folder);
        const std::string program = std::string("live_") + GetParam().name;
        bundle.program(program).program("live_exit").args({"/bin/" + program});
        if (GetParam().prepare != nullptr) {
            GetParam().prepare(bundle);
        }
        return bundle;
    }

    Outcome run_bare() {
        const Bundle bundle = make_bundle("bare");
        bundle.write();
        return Container({.engine = Engine::kRunc}, bundle, scratch_).run(kPatience);
    }

    Scratch scratch_;
};

TEST_P(Liveness, TheProgramSucceedsBare) {
    const Outcome bare = run_bare();
    EXPECT_EQ(bare.exit_code, 0) << bare.text();
    EXPECT_NE(bare.out.find(": done\n"), std::string::npos) << bare.text();
}

INSTANTIATE_TEST_SUITE_P(All, Liveness, testing::ValuesIn(kPrograms),
                         [](const auto& program) { return std::string(program.param.name); });

}  // namespace
}  // namespace execseal::e2e
