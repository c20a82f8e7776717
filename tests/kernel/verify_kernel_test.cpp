// The whole promise in small: a caller is studied, really executes under ptrace, and what the
// kernel took is compared at PTRACE_EVENT_EXEC; unchanged callers are the same, changed ones
// differ.
#include "hook/exec/reader.h"
#include "hook/gate/verify.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "hook/os/procfs.h"
#include "hook/os/ptrace.h"
#include "hook/os/remote_memory.h"
#include "tests/kernel/request_memory.h"
#include "tests/kernel/silent_fuse.h"
#include "tests/kernel/tiny_root.h"
#include "tests/scratch_folder.h"

namespace execseal {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

// A child that waits, then executes; traced so that it stops at the exec event.
class TracedExec {
  public:
    explicit TracedExec(const std::function<void()>& exec) {
        EXPECT_EQ(::pipe2(gate_, O_CLOEXEC), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)::close(gate_[1]);
            char go = 0;
            (void)!::read(gate_[0], &go, 1);
            exec();
            ::_exit(99);
        }
        (void)::close(gate_[0]);
        EXPECT_EQ(::ptrace(PTRACE_SEIZE, pid_, nullptr, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL), 0);
    }
    TracedExec(const TracedExec&) = delete;
    TracedExec& operator=(const TracedExec&) = delete;
    TracedExec(TracedExec&&) = delete;
    TracedExec& operator=(TracedExec&&) = delete;
    ~TracedExec() {
        (void)::kill(pid_, SIGKILL);
        (void)::waitpid(pid_, nullptr, __WALL);
        (void)::close(gate_[1]);
    }
    // True at the exec event, false when the child ended instead.
    bool run_to_exec() {
        (void)!::write(gate_[1], "g", 1);
        int status = 0;
        while (::waitpid(pid_, &status, __WALL) == pid_ && WIFSTOPPED(status)) {
            if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXEC << 8))) {
                return true;
            }
            (void)::ptrace(PTRACE_CONT, pid_, nullptr, 0);
        }
        return false;
    }
    [[nodiscard]] Tid tid() const { return Tid{pid_}; }
    [[nodiscard]] Tgid tgid() const { return Tgid{pid_}; }

  private:
    pid_t pid_ = 0;
    int gate_[2] = {-1, -1};
};

class VerifyKernel : public ::testing::Test {
  protected:
    void SetUp() override {
        std::filesystem::current_path(directory_);
        copy_program(EXECSEAL_TARGETS_DIR "/print_argv", directory_ + "/tool");
        write_file(directory_ + "/script", "#!" + directory_ + "/tool  a b \n");
        write_file(directory_ + "/script2", "#!" + directory_ + "/script\n");
    }
    void TearDown() override { std::filesystem::current_path("/"); }

    void exec() const { (void)::execve(memory_.path(), memory_.argv(), memory_.envp()); }

    // Studies the waiting child, lets `meddle` do its worst, and verifies at the event.
    Verification outcome(
        TracedExec& child, const ExecCall& call, const std::function<void()>& meddle = [] {}) {
        ExecStudy study = reader_.study(call, StudyScope::kMemoryAndProgram, std::nullopt);
        Verification result;
        if (study.snapshot.outcome != SnapshotOutcome::kComplete ||
            study.program.outcome != ProgramOutcome::kFound) {
            ADD_FAILURE() << study.snapshot.reason << study.program.reason;
            return result;
        }
        meddle();
        if (!child.run_to_exec()) {
            ADD_FAILURE() << "the exec failed";
            return result;
        }
        const ExpectedExec judged = expected_exec(std::move(study));
        const auto stack = ptrace_->stack_pointer(child.tid());
        result = verifier_.verify(child.tgid(), judged, stack ? *stack : std::nullopt);
        // The slow way sees the same.
        const Verification again = verifier_.verify(child.tgid(), judged, std::nullopt);
        EXPECT_EQ(again.outcome, result.outcome);
        EXPECT_EQ(again.field, result.field);
        return result;
    }
    void expect_same(const std::string& path, const Strings& argv, const Strings& env) {
        memory_.lay_out(path, argv, env);
        TracedExec child([&] { exec(); });
        const Verification result = outcome(child, memory_.call(child.tid()));
        EXPECT_EQ(result.outcome, VerifyOutcome::kSame)
            << result.field << ": " << result.judged << " / " << result.taken << result.reason;
    }
    void expect_differs(const std::string& field, const std::function<void()>& meddle) {
        TracedExec child([&] { exec(); });
        const Verification result = outcome(child, memory_.call(child.tid()), meddle);
        EXPECT_EQ(result.outcome, VerifyOutcome::kDiffers) << field;
        EXPECT_EQ(result.field, field);
    }

    ScratchFolder folder_;
    std::string directory_ = folder_.path();
    RequestMemory memory_;
    ExecReader reader_{10s};
    ExecVerifier verifier_;
    std::unique_ptr<Ptrace> ptrace_ = real_ptrace();
};

TEST_F(VerifyKernel, WhatNobodyTouchedIsTheSame) {
    expect_same(directory_ + "/tool", {"zero", "", "b c", "\xff"}, {"A=1", "", "no equals"});
    expect_same(directory_ + "/tool", {}, {});
    expect_same(directory_ + "/tool", {""}, {""});
    expect_same("/bin/busybox", {"sh", "-c", "true"}, {});
    expect_same("/bin/true", {"true"}, {"A=1"});
    expect_same("/lib64/ld-linux-x86-64.so.2", {"ld.so", "/bin/true"}, {});
    expect_same("/proc/self/exe", {"this", "test"}, {});
    expect_same(EXECSEAL_TARGETS_DIR "/print_argv_i386", {"compat", "image"}, {"A=1"});
}

TEST_F(VerifyKernel, TheNewStackAloneShowsAnUntouchedExec) {
    memory_.lay_out(directory_ + "/script", {"zero", "", "two"}, {"A=1", ""});
    TracedExec child([&] { exec(); });
    ExecStudy study =
        reader_.study(memory_.call(child.tid()), StudyScope::kMemoryAndProgram, std::nullopt);
    ASSERT_TRUE(child.run_to_exec());
    const ExpectedExec judged = expected_exec(std::move(study));
    std::vector<std::uint64_t> words(stack_words(judged));
    const auto stack = ptrace_->stack_pointer(child.tid());
    ASSERT_TRUE(stack && *stack);
    ProcessMemory memory(child.tid());
    ASSERT_EQ(memory.read(**stack, std::as_writable_bytes(std::span(words))).bytes,
              words.size() * sizeof words[0]);
    EXPECT_TRUE(match_stack_words(judged, words));
}

TEST_F(VerifyKernel, A32BitImageHasNoStackPointerOfOurs) {
    memory_.lay_out(EXECSEAL_TARGETS_DIR "/print_argv_i386", {"compat"}, {});
    TracedExec child([&] { exec(); });
    ASSERT_TRUE(child.run_to_exec());
    const auto stack = ptrace_->stack_pointer(child.tid());
    ASSERT_TRUE(stack.has_value());
    EXPECT_FALSE(stack->has_value());
}

TEST_F(VerifyKernel, ScriptsAreTheSame) {
    expect_same(directory_ + "/script", {"zero", "one"}, {"A=1"});
    expect_same(directory_ + "/script", {}, {});
    expect_same(directory_ + "/script2", {"zero", "one", ""}, {});
    expect_same("./script2", {"zero"}, {});
    expect_same(".." + directory_.substr(directory_.rfind('/')) + "//script2", {"zero"}, {});
}

TEST_F(VerifyKernel, ALargeEnvironmentIsTheSame) {
    expect_same(directory_ + "/tool", Strings(3, std::string(kMaxArgString - 1, 'a')),
                Strings(10, std::string(kMaxArgString - 1, 'e')));
    expect_same(directory_ + "/tool", {"zero"}, Strings(20000, "E=1"));
}

TEST_F(VerifyKernel, ExecveatOfDescriptorsIsTheSame) {
    // Inherited over the exec, or the kernel refuses a script behind one (execveat(2), BUGS).
    // NOLINTBEGIN(android-cloexec-open, android-cloexec-memfd-create)
    const int memfd = ::memfd_create("payload", 0);
    const std::string tool = directory_ + "/tool";
    const int from = ::open(tool.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GT(::sendfile(memfd, from, nullptr, std::filesystem::file_size(tool)), 0);
    const int script = ::open((directory_ + "/script").c_str(), O_RDONLY);
    const int directory = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY);
    // NOLINTEND(android-cloexec-open, android-cloexec-memfd-create)
    for (const auto& [fd, path, flags] : std::vector<std::tuple<int, std::string, int>>{
             {memfd, "", AT_EMPTY_PATH}, {script, "", AT_EMPTY_PATH}, {directory, "script", 0}}) {
        memory_.lay_out(path, {"zero", "one"}, {"A=1"});
        TracedExec child([&, fd = fd, flags = flags] {
            (void)::syscall(SYS_execveat, fd, memory_.path(), memory_.argv(), memory_.envp(),
                            flags);
        });
        const Verification result =
            outcome(child, memory_.call(child.tid(), fd, static_cast<unsigned>(flags)));
        EXPECT_EQ(result.outcome, VerifyOutcome::kSame)
            << path << " " << result.field << result.judged << " / " << result.taken;
    }
    for (const int fd : {memfd, from, script, directory}) {
        (void)::close(fd);
    }
}

TEST_F(VerifyKernel, ACompatCallIsTheSame) {
    memory_.lay_out(directory_ + "/script", {"zero", "one", "two"}, {"A=1"}, PointerWidth::k32);
    TracedExec child([&] {
        // execve is number 11 of the i386 table, int 0x80 enters it from a 64-bit program too.
        long result = 11;
        __asm__ volatile("int $0x80"
                         : "+a"(result)
                         : "b"(memory_.path()), "c"(memory_.argv()), "d"(memory_.envp())
                         : "memory", "r8", "r9", "r10", "r11");
    });
    const Verification result = outcome(child, memory_.call(child.tid()));
    EXPECT_EQ(result.outcome, VerifyOutcome::kSame) << result.field << result.taken;
}

TEST_F(VerifyKernel, WhatAPeerChangedAfterTheLookDiffers) {
    memory_.lay_out(directory_ + "/tool", {"zero", "good"}, {"E=good"});
    expect_differs("argv[1]", [&] { memory_.argument(1)[0] = 'e'; });
    expect_differs("argv[0]", [&] { memory_.argv()[0] = memory_.argument(1); });
    expect_differs("argv[1]", [&] { memory_.argv()[1] = nullptr; });
    memory_.lay_out(directory_ + "/script", {"zero", "good"}, {"E=good"});
    expect_differs("env[0]", [&] { memory_.envp()[0][2] = 'e'; });
    expect_differs("argv[3]", [&] { memory_.argument(1)[0] = 'e'; });
}

TEST_F(VerifyKernel, ASwappedFileDiffers) {
    memory_.lay_out(directory_ + "/tool", {"zero"}, {});
    expect_differs("exe", [&] {
        copy_program(EXECSEAL_TARGETS_DIR "/print_argv", directory_ + "/other");
        std::filesystem::rename(directory_ + "/other", directory_ + "/tool");
    });
    memory_.lay_out(directory_ + "/script", {"zero"}, {});
    expect_differs("argv[1]", [&] {
        write_file(directory_ + "/script", "#!" + directory_ + "/tool  c d \n");
    });
}

TEST_F(VerifyKernel, AnotherNameOfTheSameFileDiffers) {
    std::filesystem::create_hard_link(directory_ + "/tool", directory_ + "/toox");
    memory_.lay_out(directory_ + "/tool", {"zero"}, {"A=1"});
    expect_differs("path", [&] { memory_.path()[directory_.size() + 4] = 'x'; });
    expect_same(directory_ + "/toox", {"zero"}, {"A=1"});
}

// The last page of the program's text.
std::uint64_t last_text_page(Tid task) {
    std::ifstream maps("/proc/" + std::to_string(task.value) + "/maps");
    std::uint64_t end = 0;
    for (std::string line; std::getline(maps, line);) {
        if (line.find(" r-xp ") != std::string::npos && line.ends_with("/file")) {
            end = std::stoull(line.substr(line.find('-') + 1), nullptr, 16);
        }
    }
    return end - kRemotePage;
}

void await_sleep_in_kernel(const ChildProcess& child) {
    const auto patience = std::chrono::steady_clock::now() + 60s;
    while (std::chrono::steady_clock::now() < patience) {
        const auto status = read_task_status(child.tid());
        ASSERT_TRUE(status.has_value());
        if (status->state == 'D') {
            return;
        }
        (void)::sched_yield();
    }
    FAIL() << "it does not wait for mmap_lock";
}

// Two who may read the new process: one reads a page of its text that does not come, and keeps
// mmap_lock meanwhile; the other wants it for writing, so that nobody else gets it for reading.
TEST_F(VerifyKernel, AMemoryWhoseLockOthersHoldIsBounded) {
    SilentFuse fuse(EXECSEAL_TARGETS_DIR "/print_argv");
    ASSERT_TRUE(fuse.ready());
    memory_.lay_out(fuse.file(), {"zero", "one"}, {"A=1"});
    TracedExec child([&] { exec(); });
    ASSERT_TRUE(child.run_to_exec());
    const auto executable = executable_of(child.tgid());
    ASSERT_TRUE(executable.has_value());
    const ExpectedExec judged{*executable, make_block({"zero", "one"}), make_block({"A=1"}),
                              fuse.file()};
    const auto stack = ptrace_->stack_pointer(child.tid());
    ASSERT_TRUE(stack && *stack);
    ExecVerifier impatient(200ms);
    ASSERT_EQ(impatient.verify(child.tgid(), judged, *stack).outcome, VerifyOutcome::kSame)
        << "the control";

    const std::uint64_t page = last_text_page(child.tid());
    const std::string proc = "/proc/" + std::to_string(child.tid().value);
    fuse.fall_silent();
    const ChildProcess reader([&](int /*report*/) {
        char byte = 0;
        (void)!::pread(::open((proc + "/mem").c_str(), O_RDONLY | O_CLOEXEC), &byte, 1,
                       static_cast<off_t>(page));
    });
    ASSERT_TRUE(fuse.has_unanswered_read());
    const ChildProcess writer([&](int /*report*/) {
        (void)!::write(::open((proc + "/clear_refs").c_str(), O_WRONLY | O_CLOEXEC), "4", 1);
    });
    ASSERT_NO_FATAL_FAILURE(await_sleep_in_kernel(writer));
    for (const auto& from : {*stack, std::optional<RemoteAddr>()}) {
        const Verification held = impatient.verify(child.tgid(), judged, from);
        EXPECT_EQ(held.outcome, VerifyOutcome::kUnreadable) << held.field;
        EXPECT_NE(held.reason.find("no answer within 200 ms"), std::string::npos) << held.reason;
    }
    fuse.end();
    EXPECT_EQ(impatient.verify(child.tgid(), judged, *stack).outcome, VerifyOutcome::kSame)
        << "when they have let it go";
}

TEST_F(VerifyKernel, ATaskThatEndedIsGone) {
    memory_.lay_out(directory_ + "/tool", {"zero"}, {});
    pid_t pid = 0;
    {
        TracedExec child([&] { exec(); });
        pid = child.tid().value;
        EXPECT_EQ(outcome(child, memory_.call(child.tid())).outcome, VerifyOutcome::kSame);
    }
    EXPECT_EQ(verifier_.verify(Tgid{pid}, ExpectedExec{}, std::nullopt).outcome,
              VerifyOutcome::kGone);
}

}  // namespace
}  // namespace execseal
