// What containers do all day goes on as before: every program of tests/targets/live_*.c runs bare
// (the control: it must succeed there) and under execseal, with the freeze and by verification
// alone, and must print the same. What an agent must refuse although the kernel would not, and what
// would hang those who read without a bound, stands at the end.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

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

// NOLINTNEXTLINE(readability-identifier-naming): the name that GoogleTest looks for
void PrintTo(const Program& program, std::ostream* out) {
    *out << program.name;
}

constexpr Program kPrograms[] = {
    {"threaded_exec"},
    {"failing_exec"},
    {"bad_pointers"},
    {"spawn"},
    {"concurrent"},
    {"parallel"},
    {"signals"},
    {"job_control"},
    {"bystander"},
    {"privilege", prepare_privilege},
    {"failing_fork", prepare_failing_fork},
    {"shared_fs"},
};

constexpr std::chrono::seconds kPatience{120};

class Liveness : public testing::TestWithParam<Program> {
  protected:
    // A bundle of its own for each run: the programs leave files behind.
    Bundle make_bundle(const Program& program, const std::string& folder) {
        Bundle bundle(scratch_.path() / folder);
        const std::string name = std::string("live_") + program.name;
        bundle.program(name).program("live_exit").args({"/bin/" + name});
        if (program.prepare != nullptr) {
            program.prepare(bundle);
        }
        return bundle;
    }

    Outcome run_bare(const Program& program) {
        const Bundle bundle = make_bundle(program, "bare");
        bundle.write();
        return Container({.engine = Engine::kRunc}, bundle, scratch_).run(kPatience);
    }

    Scratch scratch_;
};

TEST_P(Liveness, TheProgramSucceedsBare) {
    const Outcome bare = run_bare(GetParam());
    EXPECT_EQ(bare.exit_code, 0) << bare.text();
    EXPECT_NE(bare.out.find(": done\n"), std::string::npos) << bare.text();
}

INSTANTIATE_TEST_SUITE_P(All, Liveness, testing::ValuesIn(kPrograms),
                         [](const auto& program) { return std::string(program.param.name); });

nlohmann::ordered_json allow_all(const nlohmann::ordered_json& protect) {
    return {{"apiVersion", "execseal/v1"},
            {"name", "live"},
            {"default", "allow"},
            {"protect", protect},
            // A rule that looks at argv: without one nothing would have to be bound.
            {"rules",
             {{{"id", "never"},
               {"verdict", "deny"},
               {"exe", "/bin/never"},
               {"argv", {{"contains", {"never"}}}}}}}};
}

const nlohmann::ordered_json kFreeze = {{"freeze", "pidns"}, {"verify", true}};
const nlohmann::ordered_json kVerifyOnly = {{"freeze", "off"}, {"verify", true}};

class LivenessSealed : public Liveness {
  protected:
    Outcome run_sealed(Bundle& bundle, const nlohmann::ordered_json& protect) {
        node_.policy("live", allow_all(protect)).write();
        bundle.annotation("io.execseal.policy", "live").write();
        return Container(node_.runtime(), bundle, scratch_).run(kPatience);
    }

    // The usual budget is less than the scheduler of a busy machine may take to stop threads that
    // come and go; an exec is refused then, as it should be.
    void expect_the_same(nlohmann::ordered_json protect) {
        protect["freeze_budget_ms"] = 10000;
        const Outcome bare = run_bare(GetParam());
        Bundle bundle = make_bundle(GetParam(), "sealed");
        const Outcome sealed = run_sealed(bundle, protect);
        EXPECT_FALSE(sealed.timed_out);
        EXPECT_EQ(sealed.exit_code, bare.exit_code) << sealed.text();
        EXPECT_EQ(sealed.out, bare.out);
        EXPECT_EQ(sealed.err, bare.err);
        const auto events = node_.events();
        EXPECT_FALSE(events.empty()) << "nobody judged anything";
        for (const auto& event : events) {
            EXPECT_FALSE(event.contains("race_detected")) << event;
            if (sealed.out != bare.out && event.value("outcome", "") == "refused") {
                std::cerr << event << "\n";
            }
        }
    }

    // The exec events whose requested path is `path`.
    [[nodiscard]] std::vector<nlohmann::json> events_of(const std::string& path) const {
        std::vector<nlohmann::json> found;
        for (const auto& event : node_.events()) {
            if (event["event"] == "exec" && event.value("requested", nlohmann::json()) == path) {
                found.push_back(event);
            }
        }
        return found;
    }

    Node node_{scratch_};
};

TEST_P(LivenessSealed, TheProgramPrintsTheSameWithTheFreeze) {
    expect_the_same(kFreeze);
}

TEST_P(LivenessSealed, TheProgramPrintsTheSameByDefault) {
    expect_the_same(nlohmann::ordered_json::object());
}

TEST_P(LivenessSealed, TheProgramPrintsTheSameWithVerificationAlone) {
    expect_the_same(kVerifyOnly);
}

INSTANTIATE_TEST_SUITE_P(All, LivenessSealed, testing::ValuesIn(kPrograms),
                         [](const auto& program) { return std::string(program.param.name); });

TEST_F(LivenessSealed, PathSearchFreezesNobody) {
    Bundle bundle = make_bundle({"spawn"}, "sealed");
    ASSERT_EQ(run_sealed(bundle, kFreeze).exit_code, 0);
    const auto missing = events_of("/nowhere/live_exit");
    EXPECT_FALSE(missing.empty());
    for (const auto& event : missing) {
        EXPECT_FALSE(event.contains("freeze")) << event;
    }
    // The control: what exists is run behind a freeze.
    const auto present = events_of("/bin/live_exit");
    ASSERT_FALSE(present.empty());
    EXPECT_TRUE(std::all_of(present.begin(), present.end(), [](const auto& event) {
        return event["outcome"] != "executed" || event.value("freeze", "") == "pidns";
    }));
}

// The default: who could write to the caller's memory. Nobody, for one thread with a memory of its
// own; system(3) has its arguments in the program's read-only data, posix_spawn(3) in a memory
// whose owner sleeps.
TEST_F(LivenessSealed, AnExecOfOneThreadFreezesNobody) {
    const auto run_with = [&](const char* folder, const char* count,
                              const nlohmann::ordered_json& protect) {
        Bundle bundle = make_bundle({"unfrozen"}, folder);
        bundle.args({"/bin/live_unfrozen", count});
        return run_sealed(bundle, protect);
    };
    const Outcome sealed = run_with("default", "10000", nlohmann::ordered_json::object());
    EXPECT_EQ(sealed.out, "unfrozen: done\n") << sealed.text();
    const auto events = events_of("/bin/live_exit");
    EXPECT_GE(events.size(), 9999U);
    for (const auto& event : events) {
        ASSERT_EQ(event["outcome"], "executed") << event;
        ASSERT_EQ(event.value("freeze", ""), "writers") << event;
        ASSERT_EQ(event.value("frozen_tasks", -1), 0) << event;
    }
    // The control.
    EXPECT_NE(run_with("pidns", "30", kFreeze).out, "unfrozen: done\n");
}

// fork(2) and execve(2) as programs know them have no EINTR.
class Pipelines : public LivenessSealed {
  protected:
    Bundle make_pipelines(const std::vector<std::string>& shell) {
        const auto name = std::filesystem::path(shell.front()).filename();
        Bundle bundle(scratch_.path() / name, RootFs::kHostUsr);
        std::vector<std::string> args{"/tmp/live_pipelines"};
        args.insert(args.end(), shell.begin(), shell.end());
        bundle.bind(target_program("live_pipelines"), args.front()).args(args);
        return bundle;
    }

    void expect_whole_pipelines(const nlohmann::ordered_json& protect) {
        for (const auto& shell : shells_) {
            Bundle bundle = make_pipelines(shell);
            const Outcome sealed = run_sealed(bundle, protect);
            EXPECT_EQ(sealed.out, "pipelines: done\n") << sealed.text();
        }
    }

    const std::vector<std::vector<std::string>> shells_{{"/bin/dash"}, {"/bin/busybox", "sh"}};
};

TEST_F(Pipelines, AreWholeBare) {
    for (const auto& shell : shells_) {
        const Bundle bundle = make_pipelines(shell);
        bundle.write();
        const Outcome bare = Container({.engine = Engine::kRunc}, bundle, scratch_).run(kPatience);
        EXPECT_EQ(bare.out, "pipelines: done\n") << bare.text();
    }
}

TEST_F(Pipelines, AreWholeWithTheFreeze) {
    expect_whole_pipelines(kFreeze);
}

TEST_F(Pipelines, AreWholeWithVerificationAlone) {
    expect_whole_pipelines(kVerifyOnly);
}

TEST_F(Pipelines, AreWholeByDefault) {
    expect_whole_pipelines(nlohmann::ordered_json::object());
}

constexpr const char* kThreadRuns = "exec beside a held thread: runs\ntraced: done\n";

// A task that somebody inside the container traces cannot be frozen: what it writes is for the
// verification to find, and an exec without one is refused.
TEST_F(LivenessSealed, BesideATaskThatADebuggerHoldsOthersExecWhatIsVerified) {
    const auto run_with = [&](const std::string& folder, const nlohmann::ordered_json& protect,
                              const std::string& user = "0") {
        Bundle bundle = make_bundle({"traced"}, folder + user);
        bundle.capability("CAP_SETUID").args({"/bin/live_traced", "bystander", user});
        return run_sealed(bundle, protect).out;
    };
    const std::string after = "exec after it was let go: runs\ntraced: done\n";
    const std::string runs = "exec beside a held task: runs\n" + after;
    EXPECT_EQ(run_with("freeze", kFreeze), runs);
    const auto events = node_.events();
    EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const auto& event) {
        return event.value("freeze", "") == "pidns" && event.value("unfrozen_tasks", 0) == 1;
    }));
    EXPECT_EQ(run_with("verify", {{"freeze", "pidns"}, {"on_freeze_failure", "verify"}}), runs);
    EXPECT_EQ(run_with("off", kVerifyOnly), runs);
    EXPECT_EQ(run_with("siblings", {{"freeze", "siblings"}}), runs);
    EXPECT_EQ(run_with("freeze", kFreeze, "1000"), runs) << "whoever the held one's user is";
    for (const char* const user : {"0", "1000"}) {
        EXPECT_EQ(run_with("unverified", {{"freeze", "pidns"}, {"verify", false}}, user),
                  "exec beside a held task: refused\n" + after);
    }
    const auto refused = node_.events_of("/bin/live_exit");
    EXPECT_TRUE(std::any_of(refused.begin(), refused.end(), [](const auto& event) {
        return event.value("rule", "") == "freeze" &&
               event.value("reason", "").find("nothing is verified here") != std::string::npos;
    })) << "the event says why nobody could be left running";
}

TEST_F(LivenessSealed, BesideAThreadThatADebuggerHoldsItsProcessExecsWhatIsVerified) {
    const auto run_with = [&](const char* folder, const nlohmann::ordered_json& protect) {
        Bundle bundle = make_bundle({"traced"}, folder);
        bundle.args({"/bin/live_traced", "thread"});
        return run_sealed(bundle, protect).out;
    };
    EXPECT_EQ(run_with("freeze", kFreeze), kThreadRuns);
    EXPECT_EQ(run_with("siblings", {{"freeze", "siblings"}}), kThreadRuns);
    EXPECT_EQ(run_with("off", kVerifyOnly), kThreadRuns);
    EXPECT_EQ(run_with("default", nlohmann::ordered_json::object()), kThreadRuns);
    EXPECT_EQ(run_with("unverified", {{"freeze", "pidns"}, {"verify", false}}),
              "exec beside a held thread: refused\ntraced: done\n");
}

// FUSE without readahead: each page of the program takes 20 ms to come, and all of it is read.
TEST_F(LivenessSealed, AProgramThatComesPageByPageIsExecuted) {
    Bundle bundle = make_bundle({"served_exec"}, "sealed");
    bundle.rights(Rights::kPrivileged).device("/dev/fuse").args({"/bin/live_served_exec", "pages"});
    const Outcome served = run_sealed(bundle, kFreeze);
    EXPECT_EQ(served.out, "3 served execs, 24 others\nserved_exec: done\n") << served.text();
    const auto events = events_of("/tmp/served");
    EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const auto& event) {
        return event.value("latency_us", 0) > 1'000'000;
    })) << "it was not slow";
}

TEST_F(LivenessSealed, ATracedCallerIsRefusedAndItsTracerDoesNotHang) {
    Bundle bundle = make_bundle({"traced"}, "sealed");
    const Outcome traced = run_sealed(bundle, kFreeze);
    EXPECT_EQ(traced.out, "exec of a traced task: refused\ntraced: done\n") << traced.text();
}

TEST_F(LivenessSealed, AnArgumentThatOnlyTheKernelCanReadIsRefused) {
    EXPECT_EQ(run_bare({"secret"}).out, "secret argument: runs\nsecret: done\n");
    Bundle bundle = make_bundle({"secret"}, "sealed");
    const Outcome secret = run_sealed(bundle, kFreeze);
    EXPECT_EQ(secret.out, "secret argument: refused\nsecret: done\n") << secret.text();
}

// Who shares root and working directory with the caller could make the new program open other files
// than those that were judged.
TEST_F(LivenessSealed, AnExecBesideOneThatSharesItsFoldersIsRefused) {
    const auto out = [&](const char* folder) {
        Bundle bundle = make_bundle({"shared_fs"}, folder);
        bundle.args({"/bin/live_shared_fs", "beside"});
        return bundle;
    };
    const std::string before =
        "exec after a sharer's end: runs\nexec beside one that has its own: runs\n"
        "exec beside a sharer: ";
    Bundle bare = out("bare");
    bare.write();
    EXPECT_EQ(Container({.engine = Engine::kRunc}, bare, scratch_).run(kPatience).out,
              before + "runs\nshared_fs: done\n");
    Bundle tracked = out("tracked");
    EXPECT_EQ(run_sealed(tracked, kFreeze).out, before + "refused\nshared_fs: done\n");
    // Nothing but the program is looked at: no other fork is notified.
    node_.policy("live", {{"apiVersion", "execseal/v1"},
                          {"name", "live"},
                          {"default", "deny"},
                          {"rules", {{{"id", "bin"}, {"verdict", "allow"}, {"exe", "/bin/**"}}}}});
    Bundle untracked = out("untracked");
    node_.write();
    untracked.annotation("io.execseal.policy", "live").write();
    EXPECT_EQ(Container(node_.runtime(), untracked, scratch_).run(kPatience).out,
              before + "refused\nshared_fs: done\n");
    const auto events = node_.events();
    EXPECT_EQ(std::count_if(events.begin(), events.end(),
                            [](const auto& event) {
                                return event.value("rule", "") == "unresolved" &&
                                       event.value("reason", "").find("CLONE_FS") !=
                                           std::string::npos;
                            }),
              2);
}

// An exec that is long on its way, or cannot end, in a process that others would have to wait for
// (PTRACE_SEIZE takes its cred_guard_mutex): it ends as it should, and so do all others.
struct LongExec {
    const char* name;
    const char* program;  // live_PROGRAM
    const char* how;
    const char* out;
};

constexpr LongExec kLongExecs[] = {
    {"served", "served_exec", "quiet", "3 served execs, 24 others\nserved_exec: done\n"},
    {"served_forking", "served_exec", "forking", "3 served execs, 24 others\nserved_exec: done\n"},
    {"stuck", "stuck_exec", "quiet", "4 stuck execs, 32 others\nstuck_exec: done\n"},
    {"stuck_forking", "stuck_exec", "forking", "4 stuck execs, 32 others\nstuck_exec: done\n"},
};

struct NamedProtection {
    const char* name;
    nlohmann::ordered_json protect;
};

// The budget is none that anybody waits for: the freeze of a served exec ends without it.
const NamedProtection kProtections[] = {
    {"pidns", {{"freeze", "pidns"}, {"freeze_budget_ms", 60000}}},
    {"or_verify",
     {{"freeze", "pidns"}, {"on_freeze_failure", "verify"}, {"freeze_budget_ms", 60000}}},
    {"writers", {{"freeze", "writers"}, {"freeze_budget_ms", 60000}}},
    {"siblings", {{"freeze", "siblings"}, {"freeze_budget_ms", 60000}}},
    {"off", kVerifyOnly},
};

class LongExecs : public testing::TestWithParam<std::tuple<LongExec, Engine, NamedProtection>> {
  protected:
    Bundle make_bundle(const LongExec& exec, const std::string& folder) {
        Bundle bundle(scratch_.path() / folder);
        const std::string program = std::string("live_") + exec.program;
        bundle.program(program).program("live_exit").args({"/bin/" + program, exec.how});
        if (std::string(exec.program) == "served_exec") {
            bundle.rights(Rights::kPrivileged).device("/dev/fuse");
        }
        return bundle;
    }

    Scratch scratch_;
};

TEST_P(LongExecs, AreWaitedForByNobodyElse) {
    const auto& [exec, engine, protection] = GetParam();
    Node node(scratch_, engine);
    node.policy("live", allow_all(protection.protect)).write();
    Bundle bundle = make_bundle(exec, "sealed");
    bundle.annotation("io.execseal.policy", "live").write();
    const Outcome sealed = Container(node.runtime(), bundle, scratch_).run(kPatience);
    EXPECT_FALSE(sealed.timed_out);
    EXPECT_EQ(sealed.out, exec.out) << sealed.text();
    for (const auto& event : node.events()) {
        EXPECT_FALSE(event.contains("race_detected")) << event;
        EXPECT_LT(event.value("frozen_us", 0), 30'000'000) << event;
        if (sealed.out != exec.out && event.value("outcome", "") != "executed") {
            std::cerr << event << "\n";
        }
    }
}

std::string name_of(const testing::TestParamInfo<LongExecs::ParamType>& exec) {
    return std::string(std::get<0>(exec.param).name) + "_" + engine_name(std::get<1>(exec.param)) +
           "_" + std::get<2>(exec.param).name;
}

INSTANTIATE_TEST_SUITE_P(All, LongExecs,
                         testing::Combine(testing::ValuesIn(kLongExecs),
                                          testing::Values(Engine::kRunc, Engine::kCrun),
                                          testing::ValuesIn(kProtections)),
                         name_of);

class BareLongExecs : public LongExecs {};

TEST_P(BareLongExecs, EndBare) {
    const auto& [exec, engine, protection] = GetParam();
    const Bundle bundle = make_bundle(exec, "bare");
    bundle.write();
    const Outcome bare = Container({.engine = engine}, bundle, scratch_).run(kPatience);
    EXPECT_EQ(bare.out, exec.out) << bare.text();
}

INSTANTIATE_TEST_SUITE_P(All, BareLongExecs,
                         testing::Combine(testing::ValuesIn(kLongExecs),
                                          testing::Values(Engine::kRunc),
                                          testing::Values(kProtections[0])),
                         name_of);

// A page that never comes: every such exec is refused within the read's deadline, and the others go
// on (the honest execs of race.h).
class NeverAnswered : public LivenessSealed {
  protected:
    void expect_refusal(const std::string& attack, Bundle& bundle) {
        bundle.program(attack).program("witness").args({"/bin/" + attack, "20", "never"});
        node_.settings()["deadlines"]["remote_read_ms"] = 200;
        const Outcome outcome = run_sealed(bundle, kFreeze);
        const auto counts = nlohmann::json::parse(outcome.out, nullptr, false);
        ASSERT_TRUE(counts.is_object()) << outcome.text();
        EXPECT_EQ(counts["refused"], 20) << outcome.out;
        EXPECT_EQ(counts["honest"], counts["honest_attempts"]) << outcome.out;
    }
};

TEST_F(NeverAnswered, AUserfaultfdPageUnderArgvStallsNobody) {
    Bundle bundle(scratch_.path() / "bundle");
    bundle.capability("CAP_SYS_PTRACE");
    expect_refusal("attack_userfaultfd", bundle);
}

TEST_F(NeverAnswered, AFusePageUnderArgvStallsNobody) {
    Bundle bundle(scratch_.path() / "bundle");
    bundle.rights(Rights::kPrivileged).device("/dev/fuse");
    expect_refusal("attack_fuse", bundle);
}

}  // namespace
}  // namespace execseal::e2e
