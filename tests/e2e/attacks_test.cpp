// Every attack of tests/targets, under real runc: first against the naive agent, which it must beat
// (else it proves nothing).
#include <gtest/gtest.h>

#include <iostream>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

enum class Needs { kNothing, kPtrace, kFuse };

struct Attack {
    const char* name;     // tests/targets/attack_NAME.c
    int attempts = 1000;  // fewer where one takes tens of milliseconds
    Needs needs = Needs::kNothing;
};

void PrintTo(const Attack& attack, std::ostream* out) {
    *out << attack.name;
}

constexpr Attack kAttacks[] = {
    {"sibling_string"},
    {"sibling_pointers"},
    {"sibling_path"},
    {"sibling_envp"},
    {"i386_string"},
    {"vm_peer"},
    {"vfork_parent_thread"},
    {"clone_untraced"},
    {"thread_churn"},
    {"signal_storm"},
    {"shared_anon"},
    {"shared_memfd"},
    {"shared_file"},
    {"private_file"},
    {"process_vm_writev"},
    {"proc_mem"},
    {"ptrace_poke"},
    {"sigkill_clear_tid"},
    {"io_uring"},
    {"aio"},
    {"own_aio", 100},
    {"userfaultfd", 1000, Needs::kPtrace},
    {"fuse", 1000, Needs::kFuse},
    {"fd_swap"},
    {"fd_path_swap"},
    {"symlink_swap"},
    {"rename_swap"},
    {"script_rewrite"},
    {"chdir_peer"},
};

class Attacks : public testing::TestWithParam<Attack> {
  protected:
    // The counts that the attack prints (race.h).
    nlohmann::json attempt(const Runtime& runtime) {
        const std::string name = std::string("attack_") + GetParam().name;
        bundle_.program(name).program("witness").program("witness-evil");
        give_rights();
        give_rights();
        bundle_.args({"/bin/" + name, std::to_string(GetParam().attempts)}).write();
        const Outcome outcome =
            Container(runtime, bundle_, scratch_).run(std::chrono::seconds{240});
        const auto counts = nlohmann::json::parse(outcome.out, nullptr, false);
        EXPECT_TRUE(counts.is_object()) << outcome.text();
        std::cout << outcome.out;
        return counts.is_object() ? counts : nlohmann::json::object();
    }

    void give_rights() {
        switch (GetParam().needs) {
            case Needs::kNothing:
                break;
            case Needs::kPtrace:
                bundle_.capability("CAP_SYS_PTRACE");
                break;
            case Needs::kFuse:
                bundle_.rights(Rights::kPrivileged).device("/dev/fuse");
                break;
        }
    }

    Scratch scratch_;
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_P(Attacks, WinAgainstAnAgentThatReadsAndLetsGo) {
    const FloorAgent agent(FloorAgent::Kind::kNaive, scratch_);
    bundle_.notify(agent.socket());
    const auto counts = attempt({.engine = Engine::kRunc});
    EXPECT_GT(counts.value("evil", 0), 0) << "a vacuous attack: it never wins";
    EXPECT_GT(counts.value("good", 0), 0) << "the honest exec never ran";
    EXPECT_EQ(counts.value("other", -1), 0);
}

INSTANTIATE_TEST_SUITE_P(All, Attacks, testing::ValuesIn(kAttacks),
                         [](const auto& attack) { return std::string(attack.param.name); });

}  // namespace
}  // namespace execseal::e2e
