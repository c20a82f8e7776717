// Every attack of tests/targets, under real runc. First against the naive agent, which it must beat
// (else it proves nothing); then against execseal, with the freeze and by verification alone: no
// win, while honest execs in between all run. Wins are counted by effect, see tests/targets/race.h.
//
// EXECSEAL_ATTEMPTS=N in the environment overrides the number of tries (tests/soak.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string_view>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

enum class StoppedBy { kWriters, kPidns, kNone };
enum class Needs { kNothing, kPtrace, kFuse };

struct Attack {
    const char* name;  // tests/targets/attack_NAME.c
    int attempts = 1000;
    Needs needs = Needs::kNothing;
    // Fewer where one takes tens of milliseconds.
    int attempts_under_freeze = attempts;
    // The smallest freeze that stops its writer before the memory is read again: the verification
    // has nothing to find then.
    StoppedBy stopped_by = StoppedBy::kWriters;
};

// NOLINTNEXTLINE(readability-identifier-naming): the name that GoogleTest looks for
void PrintTo(const Attack& attack, std::ostream* out) {
    *out << attack.name;
}

constexpr Attack kAttacks[] = {
    {"sibling_string"},
    {"sibling_pointers"},
    {"sibling_path"},
    {"sibling_envp"},
    {"i386_string"},
    {"thread_exec"},
    {"forking_leader"},
    {"vm_peer"},
    {"vfork_parent_thread"},
    {"vfork_parent_exec"},
    {"vfork_thread_exec"},
    {"vfork_first_thread_ends"},
    {"clone_untraced"},
    {"thread_churn"},
    {"signal_storm"},
    {"shared_anon"},
    {"shared_memfd"},
    {"shared_file"},
    {.name = "private_file", .stopped_by = StoppedBy::kPidns},
    {.name = "process_vm_writev", .stopped_by = StoppedBy::kPidns},
    {.name = "proc_mem", .stopped_by = StoppedBy::kPidns},
    // A task that a debugger in the container holds is left to the verification.
    {.name = "ptrace_poke", .stopped_by = StoppedBy::kNone},
    {.name = "sigkill_clear_tid", .stopped_by = StoppedBy::kNone},
    {.name = "io_uring", .stopped_by = StoppedBy::kNone},
    {.name = "aio", .stopped_by = StoppedBy::kNone},
    {.name = "own_aio",
     .attempts = 100,
     .stopped_by = StoppedBy::kNone},  // an exec waits for the end of its AIO context: 30 ms each
    {.name = "userfaultfd", .needs = Needs::kPtrace, .stopped_by = StoppedBy::kNone},
    // Its page comes from a task that the freeze holds: each takes the whole freeze budget.
    {.name = "fuse",
     .needs = Needs::kFuse,
     .attempts_under_freeze = 100,
     .stopped_by = StoppedBy::kNone},
    {.name = "fd_swap", .stopped_by = StoppedBy::kNone},
    {.name = "fd_path_swap", .stopped_by = StoppedBy::kNone},
    {.name = "symlink_swap", .stopped_by = StoppedBy::kNone},
    {.name = "rename_swap", .stopped_by = StoppedBy::kNone},
    {.name = "script_rewrite", .stopped_by = StoppedBy::kNone},
    {.name = "chdir_peer", .stopped_by = StoppedBy::kNone},
    {.name = "script_link", .stopped_by = StoppedBy::kNone},
    {.name = "script_cwd", .stopped_by = StoppedBy::kNone},
};

constexpr int kMostRuns = 5;

int attempts_of(int attempts) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    const char* const asked = std::getenv("EXECSEAL_ATTEMPTS");
    const std::string_view text = asked == nullptr ? "" : asked;
    int number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number > 0 ? number * attempts / 1000 : attempts;
}

class Attacks : public testing::TestWithParam<Attack> {
  protected:
    // The counts that the attack prints (race.h).
    nlohmann::json attempt(const Attack& attack, const Runtime& runtime, int wanted) {
        const int attempts = attempts_of(wanted);
        const std::string name = std::string("attack_") + attack.name;
        give_rights(attack.needs);
        bundle_.program(name).program("witness").program("witness-evil");
        bundle_.args({"/bin/" + name, std::to_string(attempts)}).write();
        const Outcome outcome = Container(runtime, bundle_, scratch_)
                                    .run(std::chrono::minutes{4} * std::max(1, attempts / wanted));
        const auto counts = nlohmann::json::parse(outcome.out, nullptr, false);
        EXPECT_TRUE(counts.is_object()) << outcome.text();
        std::cout << outcome.out;
        return counts.is_object() ? counts : nlohmann::json::object();
    }

    // Against the naive agent. On a busy machine the writer may get no CPU at the right moment in a
    // whole run, or at each.
    void expect_wins(const Attack& attack) {
        const FloorAgent agent(FloorAgent::Kind::kNaive, scratch_);
        bundle_.notify(agent.socket());
        auto counts = nlohmann::json::object();
        const auto has = [&counts](const char* word) { return counts.value(word, 0) > 0; };
        for (int run = 0; run < kMostRuns && !(has("evil") && has("good")); ++run) {
            counts = attempt(attack, {.engine = Engine::kRunc}, attack.attempts);
        }
        EXPECT_GT(counts.value("evil", 0), 0) << "a vacuous attack: it never wins";
        EXPECT_GT(counts.value("good", 0), 0) << "the benign exec never ran";
        EXPECT_EQ(counts.value("other", -1), 0);
        EXPECT_EQ(counts.value("honest", -1), counts.value("honest_attempts", 0));
    }

    void give_rights(Needs needs) {
        switch (needs) {
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
    expect_wins(GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, Attacks, testing::ValuesIn(kAttacks),
                         [](const auto& attack) { return std::string(attack.param.name); });

// A container of its own, in whose PID namespace the victim lives; it writes into the victim's
// callers. The board of race.h lies in a volume that both have.
class NeighbourWriter {
  public:
    NeighbourWriter(const Scratch& scratch, Bundle& victim, const Attack& attack,
                    const Runtime& runtime)
        : bundle_(scratch.path() / "neighbour") {
        const auto volume = scratch.path() / "volume";
        std::filesystem::create_directories(volume);
        const std::string name = std::string("attack_") + attack.name;
        for (Bundle* const bundle : {&victim, &bundle_}) {
            bundle->bind(volume, "/volume", "rw").env("BOARD", "/volume/board");
        }
        bundle_.program(name).args({"/bin/" + name, "write"});
        bundle_.annotation("io.execseal.policy", "witness").write();
        container_ = std::make_unique<Container>(runtime, bundle_, scratch);
        EXPECT_EQ(container_->create().exit_code, 0) << container_->err();
        for (auto& space : victim.config()["linux"]["namespaces"]) {
            if (space["type"] == "pid") {
                space["path"] = "/proc/" + std::to_string(container_->init_pid()) + "/ns/pid";
            }
        }
        EXPECT_EQ(container_->start().exit_code, 0) << container_->err();
    }

  private:
    Bundle bundle_;
    std::unique_ptr<Container> container_;
};

// A container of its own, not frozen with the other, that writes to a volume both have.
class ForeignWriter {
  public:
    ForeignWriter(const Scratch& scratch, Bundle& victim) : bundle_(scratch.path() / "foreign") {
        const auto volume = scratch.path() / "volume";
        std::filesystem::create_directory(volume);
        victim.bind(volume, "/volume", "rw").env("FILE", "/volume/word");
        bundle_.bind(volume, "/volume", "rw")
            .program("attack_shared_file")
            .args({"/bin/attack_shared_file", "write", "/volume/word"})
            .write();
        container_ =
            std::make_unique<Container>(Runtime{.engine = Engine::kRunc}, bundle_, scratch);
        EXPECT_EQ(container_->create().exit_code, 0) << container_->err();
        EXPECT_EQ(container_->start().exit_code, 0) << container_->err();
    }

  private:
    Bundle bundle_;
    std::unique_ptr<Container> container_;
};

TEST_F(Attacks, OfAnotherContainerWinAgainstAnAgentThatReadsAndLetsGo) {
    const ForeignWriter writer(scratch_, bundle_);
    expect_wins({"shared_file"});
}

// Their memory is their own, so that only a freeze of both would keep the writer away.
constexpr Attack kNeighbourAttacks[] = {
    {.name = "process_vm_writev", .attempts = 300, .stopped_by = StoppedBy::kNone},
    {.name = "proc_mem", .attempts = 300, .stopped_by = StoppedBy::kNone},
    {.name = "ptrace_poke", .attempts = 300, .stopped_by = StoppedBy::kNone},
};

class NeighbourAttacks : public Attacks {};

TEST_P(NeighbourAttacks, WinAgainstAnAgentThatReadsAndLetsGo) {
    const NeighbourWriter writer(scratch_, bundle_, GetParam(), {.engine = Engine::kRunc});
    expect_wins(GetParam());
}

std::string attack_name(const testing::TestParamInfo<Attack>& attack) {
    return attack.param.name;
}
INSTANTIATE_TEST_SUITE_P(All, NeighbourAttacks, testing::ValuesIn(kNeighbourAttacks), attack_name);

// kWriters is the default.
enum class Guard { kWriters, kFreezeAndVerify, kVerifyOnly };

const char* freeze_of(Guard guard) {
    switch (guard) {
        case Guard::kWriters:
            return "writers";
        case Guard::kFreezeAndVerify:
            return "pidns";
        case Guard::kVerifyOnly:
            return "off";
    }
    return "?";
}

// Exactly "witness good" may run, under its own name or as one of the scripts and links that the
// attacks make; the attackers themselves may do what they like.
nlohmann::ordered_json witness_policy(Guard guard) {
    return {{"apiVersion", "execseal/v1"},
            {"name", "witness"},
            {"default", "allow"},
            {"protect", {{"freeze", freeze_of(guard)}, {"verify", true}}},
            {"rules",
             {{{"id", "evil-argument"},
               {"verdict", "deny"},
               {"exe", "/bin/witness"},
               {"argv", {{"contains", {"evil"}}}}},
              {{"id", "good"},
               {"verdict", "allow"},
               {"exe", {"/bin/witness", "/srv/good/witness", "/srv/good/program", "/tmp/program"}},
               {"argv", {{"exact", {"good"}}}},
               {"env", {{"WITNESS", "good"}}}},
              {{"id", "witnesses"},
               {"verdict", "deny"},
               {"exe", {"/bin/witness*", "/srv/**", "/tmp/**"}}}}}};
}

// For whoever reads the failure: execs that neither the policy's rules nor the kernel explain.
void tell_of_the_unexpected(const std::vector<nlohmann::json>& events) {
    int told = 0;
    for (const auto& event : events) {
        const std::string rule = event.value("rule", "");
        const bool expected =
            rule == "good" || rule == "evil-argument" || rule == "witnesses" || rule == "default";
        const bool killed = event.value("outcome", "") == "killed";
        if ((!expected || killed != event.contains("race_detected")) && told++ < 5) {
            std::cout << event << "\n";
        }
    }
}

class Guarded : public Attacks {
  protected:
    void expect_no_win(const Attack& attack, Guard guard, bool by_neighbour = false,
                       const std::string& binding = "ptrace") {
        Node node(scratch_);
        if (binding != "ptrace") {
            node.binding(binding);
        }
        node.settings()["log"]["level"] = "info";
        node.policy("witness", witness_policy(guard)).write();
        bundle_.annotation("io.execseal.policy", "witness");
        std::optional<NeighbourWriter> writer;
        if (by_neighbour) {
            writer.emplace(scratch_, bundle_, attack, node.runtime());
        }
        const auto counts =
            attempt(attack, node.runtime(),
                    guard == Guard::kVerifyOnly ? attack.attempts : attack.attempts_under_freeze);

        EXPECT_EQ(counts.value("evil", -1), 0) << "WHAT RAN WAS NOT WHAT WAS JUDGED";
        EXPECT_EQ(counts.value("other", -1), 0);
        EXPECT_EQ(counts.value("honest", -1), counts.value("honest_attempts", 0));
        // The race was there, and it was caught where the audit says so.
        const int killed = counts.value("killed", -1);
        if (counts.value("writer", "") == "ok") {
            EXPECT_GT(counts.value("refused", 0) + killed, 0) << "the race was never hit";
        }
        if ((guard == Guard::kWriters && attack.stopped_by == StoppedBy::kWriters) ||
            (guard == Guard::kFreezeAndVerify && attack.stopped_by != StoppedBy::kNone)) {
            EXPECT_EQ(killed, 0) << "the freeze has missed a writer";
        }
        writer.reset();
        EXPECT_TRUE(node.nothing_left());  // all is written by then
        const auto events = node.events();
        EXPECT_EQ(killed, std::count_if(events.begin(), events.end(), [](const auto& event) {
                      return event.contains("race_detected") && event["outcome"] == "killed";
                  }));
        // Whatever ran was verified first, also where the attack has not won by it. One more is the
        // attack itself.
        EXPECT_LT(counts.value("good", 0) + counts.value("evil", 0) + counts.value("honest", 0),
                  std::count_if(events.begin(), events.end(),
                                [](const auto& event) {
                                    return event["event"] == "exec" &&
                                           event["outcome"] == "executed";
                                }))
            << "something ran that nobody had verified";
        if (HasFailure()) {
            tell_of_the_unexpected(events);
        }
    }
};

TEST_P(Guarded, NeverWinAgainstTheFreezeOfWriters) {
    expect_no_win(GetParam(), Guard::kWriters);
}

TEST_P(Guarded, NeverWinAgainstTheFreeze) {
    expect_no_win(GetParam(), Guard::kFreezeAndVerify);
}

TEST_P(Guarded, NeverWinAgainstTheVerificationAlone) {
    expect_no_win(GetParam(), Guard::kVerifyOnly);
}

// Nobody stands still: all is the comparison's, in the kernel.
TEST_P(Guarded, NeverWinAgainstTheKernel) {
    if (!can_bind_in_kernel()) {
        GTEST_SKIP() << "built without clang or libbpf: no BPF programs";
    }
    Attack attack = GetParam();
    attack.attempts = std::max(attack.attempts / 5, 50);
    expect_no_win(attack, Guard::kVerifyOnly, false, "kernel");
}

INSTANTIATE_TEST_SUITE_P(All, Guarded, testing::ValuesIn(kAttacks),
                         [](const auto& attack) { return std::string(attack.param.name); });

TEST_F(Guarded, NeverWinFromAnotherContainerAgainstTheFreezeOfWriters) {
    const ForeignWriter writer(scratch_, bundle_);
    expect_no_win({.name = "shared_file", .stopped_by = StoppedBy::kNone}, Guard::kWriters);
}

class GuardedFromNeighbours : public Guarded {};

// Both are judged: each supervisor's domain is its own container's tasks.
TEST_P(GuardedFromNeighbours, NeverWinAgainstTheFreezeOfWriters) {
    expect_no_win(GetParam(), Guard::kWriters, true);
}

TEST_P(GuardedFromNeighbours, NeverWinAgainstTheFreeze) {
    expect_no_win(GetParam(), Guard::kFreezeAndVerify, true);
}

TEST_P(GuardedFromNeighbours, NeverWinAgainstTheVerificationAlone) {
    expect_no_win(GetParam(), Guard::kVerifyOnly, true);
}

INSTANTIATE_TEST_SUITE_P(All, GuardedFromNeighbours, testing::ValuesIn(kNeighbourAttacks),
                         attack_name);

TEST_F(Guarded, NeverWinFromAnotherContainerAgainstTheFreeze) {
    const ForeignWriter writer(scratch_, bundle_);
    expect_no_win({.name = "shared_file", .stopped_by = StoppedBy::kNone}, Guard::kFreezeAndVerify);
}

TEST_F(Guarded, NeverWinFromAnotherContainerAgainstTheVerificationAlone) {
    const ForeignWriter writer(scratch_, bundle_);
    expect_no_win({"shared_file"}, Guard::kVerifyOnly);
}

}  // namespace
}  // namespace execseal::e2e
