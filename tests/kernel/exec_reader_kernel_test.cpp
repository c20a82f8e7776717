// Whole studies of a real caller, through the expendable process: what it gives, and what becomes
// of it when the caller's memory or files hang.
#include "hook/exec/reader.h"

#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <fstream>

#include "hook/exec/facts.h"
#include "tests/kernel/request_memory.h"
#include "tests/kernel/silent_fuse.h"
#include "tests/kernel/tiny_root.h"

namespace execseal {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Strings = std::vector<std::string>;

// A child that does nothing but have memory.
ChildProcess quiet_child() {
    return ChildProcess([](int report) { ChildProcess::send(report, 1); });
}

ExecStudy study_once(const ExecCall& call, std::chrono::milliseconds deadline = 10s) {
    return ExecReader(deadline).study(call, StudyScope::kMemoryAndProgram, std::nullopt);
}

TEST(ExecReader, StudiesACallerInItsOwnNamespaces) {
    RequestMemory memory;
    memory.lay_out("/bin/script", {"zero", "one"}, {"A=1", "B=2"});
    const TinyRoot root(
        [](const std::string& at) {
            copy_program(EXECSEAL_TARGETS_DIR "/print_argv", at + "/bin/tool");
            write_file(at + "/bin/script", "#!/bin/tool\n");
        },
        [] {
            (void)!::setresgid(7, 7, 7);
            (void)!::setresuid(8, 8, 8);
        });
    ASSERT_TRUE(root.ready()) << "CAP_SYS_ADMIN is needed";
    ExecReader reader(10s);
    ASSERT_TRUE(reader.warm_up().has_value());
    ExecStudy study =
        reader.study(memory.call(root.tid()), StudyScope::kMemoryAndProgram, std::nullopt);
    ASSERT_EQ(study.snapshot.outcome, SnapshotOutcome::kComplete) << study.snapshot.reason;
    ASSERT_EQ(study.program.outcome, ProgramOutcome::kFound) << study.program.reason;
    EXPECT_EQ(study.caller.tgid, Tgid{root.tid().value});
    ASSERT_EQ(study.program.files.size(), 2U);
    for (const ProgramFile& file : study.program.files) {
        EXPECT_EQ(status_of(file.fd.get()).value().id, file.id);
    }
    const auto maps = read_id_maps(root.tid());
    ASSERT_TRUE(maps.has_value()) << maps.error().text();
    const auto built = build_facts(study, Via::kEntrypoint, *maps);
    ASSERT_TRUE(built.has_value()) << built.error().text();
    const ExecFacts& facts = *built;
    ASSERT_EQ(facts.views.size(), 2U);
    EXPECT_EQ(facts.views[0].exe, "/bin/script");
    EXPECT_EQ(facts.views[1].exe, "/bin/tool");
    EXPECT_EQ(facts.views[1].argv, (Strings{"/bin/tool", "/bin/script", "one"}));
    EXPECT_EQ(facts.env, (Strings{"A=1", "B=2"}));
    EXPECT_EQ(facts.cwd, "/");
    EXPECT_EQ(facts.uid, 8U);
    EXPECT_EQ(facts.gid, 7U);
    EXPECT_EQ(facts.requested_path, "/bin/script");
    // The root crosses over and back.
    const ExecStudy again =
        reader.study(memory.call(root.tid()), StudyScope::kMemoryAndProgram, study.program.root);
    EXPECT_EQ(again.program.root, study.program.root);
    EXPECT_EQ(again.program.views[0].exe, "/bin/script");
    // The task alone tells it, too.
    ExecCall none;
    none.tid = root.tid();
    const Program of_task = reader.study(none, StudyScope::kRoot, std::nullopt).program;
    EXPECT_EQ(of_task.outcome, ProgramOutcome::kFound) << of_task.reason;
    EXPECT_EQ(of_task.root, study.program.root);
}

TEST(ExecReader, OfAProgramThatIsNotThereNothingElseIsRead) {
    RequestMemory memory;
    memory.lay_out("/a/missing", {"zero"}, {"A=1"});
    auto child = quiet_child();
    ExecCall call = memory.call(child.tid());
    const ExecCall whole = call;
    call.argv = RemoteAddr{8};  // not mapped: EFAULT, were it looked at
    for (const ExecCall& asked : {whole, call}) {
        const ExecStudy study = study_once(asked);
        EXPECT_EQ(study.snapshot.outcome, SnapshotOutcome::kRefused) << study.snapshot.reason;
        EXPECT_EQ(study.snapshot.error, ENOENT);
        EXPECT_EQ(study.snapshot.path, "/a/missing");
        EXPECT_EQ(study.snapshot.argv.count, 0U);
        EXPECT_EQ(study.caller.tgid, Tgid{child.pid()});
    }
    memory.lay_out("/bin/true", {"zero"}, {"A=1"});
    call = memory.call(child.tid());
    call.argv = RemoteAddr{8};
    const ExecStudy control = study_once(call);
    EXPECT_EQ(control.snapshot.outcome, SnapshotOutcome::kRefused) << control.snapshot.reason;
    EXPECT_EQ(control.snapshot.error, EFAULT);
}

TEST(ExecReader, ATaskThatIsGoneHasNoRoot) {
    ExecCall none;
    {
        auto child = quiet_child();
        none.tid = child.tid();
    }
    const Program program = ExecReader(10s).study(none, StudyScope::kRoot, std::nullopt).program;
    EXPECT_NE(program.outcome, ProgramOutcome::kFound);
    EXPECT_NE(program.reason, "");
}

TEST(ExecReader, ASecondLookSeesAChangedByte) {
    RequestMemory memory;
    memory.lay_out("/bin/true", {"true", "good"}, {"E=1"});
    auto child = quiet_child();
    ExecReader reader(10s);
    const auto look = [&] {
        return reader.study(memory.call(child.tid()), StudyScope::kMemory, std::nullopt).snapshot;
    };
    const ExecSnapshot first = look();
    ASSERT_EQ(first.outcome, SnapshotOutcome::kComplete);
    EXPECT_TRUE(same_request(first, look()));
    memory.argument(1)[0] = 'f';
    EXPECT_FALSE(same_request(first, look()));
}

TEST(ExecReader, TakesTheLargestRequestThatTheKernelTakes) {
    RequestMemory memory;
    memory.lay_out("/bin/true", Strings(11, std::string(kMaxArgString - 1, 'a')),
                   Strings(4, std::string(kMaxArgString - 1, 'e')));
    ChildProcess child([](int report) { ChildProcess::send(report, 1); });
    const ExecStudy study = study_once(memory.call(child.tid()));
    ASSERT_EQ(study.snapshot.outcome, SnapshotOutcome::kComplete) << study.snapshot.reason;
    ASSERT_EQ(study.program.outcome, ProgramOutcome::kFound) << study.program.reason;
    EXPECT_EQ(study.snapshot.argv.bytes.size(), 11 * kMaxArgString);
    EXPECT_EQ(study.program.final_argv, study.snapshot.argv);
}

TEST(ExecReader, ATaskThatIsGoneIsGone) {
    RequestMemory memory;
    memory.lay_out("/bin/true", {"true"}, {});
    pid_t pid = 0;
    {
        auto child = quiet_child();
        pid = child.pid();
        EXPECT_EQ(study_once(memory.call(child.tid())).snapshot.outcome,
                  SnapshotOutcome::kComplete);
    }
    EXPECT_EQ(study_once(memory.call(Tid{pid})).snapshot.outcome, SnapshotOutcome::kGone);
}

TEST(ExecReader, AnIdleProcessThatWasKilledIsReplaced) {
    RequestMemory memory;
    memory.lay_out("/bin/true", {"true"}, {});
    auto child = quiet_child();
    ExecReader reader(10s);
    ASSERT_TRUE(reader.warm_up().has_value());
    std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
    for (pid_t pid = 0; children >> pid;) {
        if (pid != child.pid()) {
            (void)::kill(pid, SIGKILL);
            siginfo_t info{};
            (void)::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
        }
    }
    EXPECT_EQ(
        reader.study(memory.call(child.tid()), StudyScope::kMemory, std::nullopt).snapshot.outcome,
        SnapshotOutcome::kComplete);
}

TEST(ExecReader, AMissingPageOfUserfaultfdIsUnreadableAtOnce) {
    RequestMemory memory;
    memory.lay_out("/bin/true", {"true", "there"}, {});
    auto* page = static_cast<char*>(::mmap(nullptr, 2 * kRemotePage, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ChildProcess child([&](int report) {
        const auto fd = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC));
        uffdio_api api{};
        api.api = UFFD_API;
        uffdio_register area{};
        area.range = {reinterpret_cast<std::uint64_t>(page), 2 * kRemotePage};
        area.mode = UFFDIO_REGISTER_MODE_MISSING;
        std::memcpy(page, "present", 8);
        ChildProcess::send(report, fd >= 0 && ::ioctl(fd, UFFDIO_API, &api) == 0 &&
                                       ::ioctl(fd, UFFDIO_REGISTER, &area) == 0);
    });
    bool registered = false;
    ASSERT_TRUE(child.receive(registered));
    if (!registered) {
        GTEST_SKIP() << "userfaultfd(2) is not there";
    }
    ExecReader reader(5s);
    const auto look = [&] {
        return reader.study(memory.call(child.tid()), StudyScope::kMemory, std::nullopt).snapshot;
    };
    memory.argv()[1] = page;
    const ExecSnapshot present = look();
    ASSERT_EQ(present.outcome, SnapshotOutcome::kComplete) << present.reason;
    EXPECT_EQ(present.argv.split()[1], "present");
    memory.argv()[1] = page + kRemotePage;
    const auto start = Clock::now();
    EXPECT_EQ(look().outcome, SnapshotOutcome::kUnreadable);
    EXPECT_LT(Clock::now() - start, 1s);
    (void)::munmap(page, 2 * kRemotePage);
}

class SilentFiles : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!fuse_.ready()) {
            GTEST_SKIP() << "FUSE cannot be mounted here";
        }
    }
    SilentFuse fuse_;
};

TEST_F(SilentFiles, APageThatNeverComesIsBlockedAtTheDeadlineAndOthersAreServed) {
    RequestMemory memory;
    memory.lay_out("/bin/true", {"true", "there"}, {});
    ChildProcess child([&](int report) {
        const int file = ::open(fuse_.file().c_str(), O_RDONLY | O_CLOEXEC);
        void* page = ::mmap(nullptr, kRemotePage, PROT_READ, MAP_SHARED, file, 0);
        ChildProcess::send(report, page == MAP_FAILED ? nullptr : static_cast<char*>(page));
    });
    char* page = nullptr;
    ASSERT_TRUE(child.receive(page));
    ASSERT_NE(page, nullptr);
    ExecReader reader(60ms);
    const auto look = [&] {
        return reader.study(memory.call(child.tid()), StudyScope::kMemory, std::nullopt).snapshot;
    };
    ASSERT_EQ(look().outcome, SnapshotOutcome::kComplete);
    char* const there = memory.argv()[1];
    memory.argv()[1] = page;
    const auto start = Clock::now();
    EXPECT_EQ(look().outcome, SnapshotOutcome::kBlocked);
    EXPECT_GE(Clock::now() - start, 60ms);
    EXPECT_LT(Clock::now() - start, 2s);

    // With a ticket in flight the next caller's study goes to another process.
    auto ticket = reader.begin(memory.call(child.tid()), StudyScope::kMemory, std::nullopt);
    auto other = quiet_child();
    RequestMemory others;
    others.lay_out("/bin/true", {"true"}, {});
    auto second = quiet_child();
    EXPECT_FALSE(reader.collect(ticket, Clock::now()).has_value());
    EXPECT_EQ(
        reader.study(others.call(second.tid()), StudyScope::kMemory, std::nullopt).snapshot.outcome,
        SnapshotOutcome::kComplete);
    std::optional<ExecStudy> late;
    while (!late) {
        late = reader.collect(ticket, ticket.deadline());
    }
    EXPECT_EQ(late->snapshot.outcome, SnapshotOutcome::kBlocked);
    memory.argv()[1] = there;
    EXPECT_EQ(look().outcome, SnapshotOutcome::kComplete);
}

TEST_F(SilentFiles, APathOrAScriptThatHangsIsBlockedToo) {
    auto child = quiet_child();
    for (const std::string& path : {fuse_.directory() + "/stuck", fuse_.file()}) {
        RequestMemory memory;
        memory.lay_out(path, {"zero"}, {});
        ChildProcess caller([](int report) { ChildProcess::send(report, 1); });
        int ready = 0;
        ASSERT_TRUE(caller.receive(ready));
        const auto start = Clock::now();
        EXPECT_EQ(study_once(memory.call(caller.tid()), 60ms).snapshot.outcome,
                  SnapshotOutcome::kBlocked)
            << path;
        EXPECT_LT(Clock::now() - start, 2s);
    }
}

// A study's descriptors may be the last that keep a mount which its container has detached. The
// kernel ends the connection of such a FUSE mount, it does not ask the server.
TEST_F(SilentFiles, TheLastCloseOfAFileWhoseMountIsDetachedWaitsForNobody) {
    (void)::kill(fuse_.server(), SIGSTOP);
    ChildProcess owner([&](int report) {
        const int file = ::open(fuse_.directory().c_str(), O_PATH | O_CLOEXEC);
        const std::string space = "/proc/" + std::to_string(fuse_.server()) + "/ns/mnt";
        ChildProcess::send(
            report, file >= 0 &&
                        ::setns(::open(space.c_str(), O_RDONLY | O_CLOEXEC), CLONE_NEWNS) == 0 &&
                        ::umount2("/mnt", MNT_DETACH) == 0);
        ChildProcess::send(report, ::close(file) == 0);
    });
    bool detached = false;
    bool closed = false;
    EXPECT_TRUE(owner.receive(detached) && detached);
    EXPECT_TRUE(owner.receive(closed) && closed);
}

// FUSE without readahead: no page is long in coming, but there are many.
TEST(ExecReader, AFileThatComesSlowlyIsReadWhole) {
    SilentFuse fuse(EXECSEAL_TARGETS_DIR "/print_argv");
    ASSERT_TRUE(fuse.ready());
    fuse.slow_down(10ms);
    RequestMemory memory;
    memory.lay_out(fuse.file(), {"zero"}, {});
    ChildProcess caller([](int report) { ChildProcess::send(report, 1); });
    int ready = 0;
    ASSERT_TRUE(caller.receive(ready));
    constexpr auto kDeadline = 500ms;
    const auto start = Clock::now();
    const ExecStudy study = study_once(memory.call(caller.tid()), kDeadline);
    EXPECT_EQ(study.program.outcome, ProgramOutcome::kFound)
        << study.snapshot.reason << study.program.reason;
    EXPECT_GT(Clock::now() - start, kDeadline) << "it was not slow";
    fuse.fall_silent();
    fuse.end();
}

TEST(ExecReader, AFileThatIsTooSlowIsBlockedAndTheReasonSaysSo) {
    SilentFuse fuse(EXECSEAL_TARGETS_DIR "/print_argv");
    ASSERT_TRUE(fuse.ready());
    fuse.slow_down(20ms);
    RequestMemory memory;
    memory.lay_out(fuse.file(), {"zero"}, {});
    ChildProcess caller([](int report) { ChildProcess::send(report, 1); });
    int ready = 0;
    ASSERT_TRUE(caller.receive(ready));
    const ExecStudy study = study_once(memory.call(caller.tid()), 40ms);
    EXPECT_EQ(study.snapshot.outcome, SnapshotOutcome::kBlocked);
    // On a busy machine one page alone may take longer than the deadline.
    EXPECT_TRUE(study.snapshot.reason.find("too slow") != std::string::npos ||
                study.snapshot.reason.find("hangs") != std::string::npos)
        << study.snapshot.reason;
}

// The process of a reader, stopped: what it looks like to have no CPU.
class StoppedProcess {
  public:
    explicit StoppedProcess(pid_t not_this) {
        std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
        for (pid_t pid = 0; children >> pid;) {
            pid_ = pid == not_this ? pid_ : pid;
        }
        (void)::kill(pid_, SIGSTOP);
        siginfo_t info{};
        (void)::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WNOWAIT);
    }
    void let_go() const { (void)::kill(pid_, SIGCONT); }

  private:
    pid_t pid_ = 0;
};

TEST(ExecReader, AProcessThatGotNoCpuIsNotTakenForAPageThatHangs) {
    RequestMemory memory;
    memory.lay_out("/bin/true", {"true"}, {});
    auto child = quiet_child();
    ExecReader reader(100ms);
    ASSERT_TRUE(reader.warm_up().has_value());
    const StoppedProcess process(child.pid());
    auto ticket = reader.begin(memory.call(child.tid()), StudyScope::kMemory, std::nullopt);
    const auto first = ticket.deadline();
    EXPECT_FALSE(reader.collect(ticket, first).has_value());
    EXPECT_GE(ticket.deadline(), first + 100ms);
    process.let_go();
    const auto study = reader.collect(ticket, Clock::now() + 10s);
    ASSERT_TRUE(study.has_value());
    EXPECT_EQ(study->snapshot.outcome, SnapshotOutcome::kComplete) << study->snapshot.reason;
}

TEST(ExecReader, AProcessThatNeverGetsTheCpuIsGivenUpInTheEnd) {
    RequestMemory memory;
    memory.lay_out("/bin/true", {"true"}, {});
    auto child = quiet_child();
    ExecReader reader(10ms);
    ASSERT_TRUE(reader.warm_up().has_value());
    const StoppedProcess process(child.pid());
    const auto study = reader.study(memory.call(child.tid()), StudyScope::kMemory, std::nullopt);
    EXPECT_EQ(study.snapshot.outcome, SnapshotOutcome::kBlocked);
}

TEST_F(SilentFiles, ADeadlineThatNobodyWatchedBeginsAnew) {
    auto child = quiet_child();
    RequestMemory memory;
    memory.lay_out(fuse_.directory() + "/stuck", {"zero"}, {});
    ChildProcess caller([](int report) { ChildProcess::send(report, 1); });
    int ready = 0;
    ASSERT_TRUE(caller.receive(ready));
    ExecReader reader(40ms);
    auto ticket =
        reader.begin(memory.call(caller.tid()), StudyScope::kMemoryAndProgram, std::nullopt);
    const auto first = ticket.deadline();
    while (Clock::now() < first + 20ms) {
    }
    const auto unwatched = reader.collect(ticket, Clock::now());
    EXPECT_FALSE(unwatched.has_value()) << unwatched->snapshot.reason << unwatched->program.reason;
    EXPECT_GE(ticket.deadline(), first + 40ms);
    std::optional<ExecStudy> study;
    while (!study) {
        study = reader.collect(ticket, ticket.deadline());
    }
    EXPECT_EQ(study->snapshot.outcome, SnapshotOutcome::kBlocked) << study->snapshot.reason;
}

TEST(ExecReader, ATicketCanBeWaitedForInAnEventLoop) {
    RequestMemory memory;
    memory.lay_out("/bin/true", {"true"}, {});
    auto child = quiet_child();
    ExecReader reader(10s);
    auto ticket =
        reader.begin(memory.call(child.tid()), StudyScope::kMemoryAndProgram, std::nullopt);
    pollfd entry{ticket.fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&entry, 1, 10000), 1);
    const auto study = reader.collect(ticket, Clock::now());
    ASSERT_TRUE(study.has_value());
    EXPECT_EQ(study->program.outcome, ProgramOutcome::kFound) << study->program.reason;
}

}  // namespace
}  // namespace execseal
