// The BPF programs of hook/bpf in the running kernel: who dies, who does not, and what is told.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "hook/bpf/programs.h"
#include "hook/exec/string_block.h"
#include "hook/os/seccomp_notify.h"
#include "tests/scratch_folder.h"

namespace execseal {
namespace {

constexpr const char* kShell = "/bin/busybox";
constexpr int kRan = 42;
constexpr int kKilled = 128 + SIGKILL;

// Tells no notification of any call but execve and execveat.
int install_filter(unsigned flags) {
    std::array<sock_filter, 5> code{
        {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 1, 0),
         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 0, 1),
         BPF_STMT(BPF_RET | BPF_K, flags == 0 ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF),
         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
    const sock_fprog program{code.size(), code.data()};
    (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

struct Wish {
    std::string path = kShell;
    std::vector<std::string> argv{"busybox", "sh", "-c", "exit 42"};
    std::vector<std::string> env{"A=1"};
    unsigned flags = 0;         // of execveat(2); 0: execve(2)
    std::string second_path{};  // executed where the first one fails
};

int make_call(const Wish& wish, const std::string& path) {
    const auto pointers = [](const std::vector<std::string>& strings) {
        std::vector<char*> list;
        for (const std::string& string : strings) {
            list.push_back(const_cast<char*>(string.c_str()));
        }
        list.push_back(nullptr);
        return list;
    };
    const auto argv = pointers(wish.argv);
    const auto env = pointers(wish.env);
    return wish.flags == 0 ? ::execve(path.c_str(), argv.data(), env.data())
                           : static_cast<int>(::syscall(SYS_execveat, AT_FDCWD, path.c_str(),
                                                        argv.data(), env.data(), wish.flags));
}

// A process that makes the call under a filter of its own, whose listener is ours: it shares our
// descriptors until its exec.
class Caller {
  public:
    explicit Caller(const Wish& wish) {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            throw std::runtime_error("pipe2");
        }
        pid_ = static_cast<pid_t>(::syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
        if (pid_ == 0) {
            (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
            const int listener = install_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER);
            (void)!::write(ends[1], &listener, sizeof listener);
            int result = make_call(wish, wish.path);
            if (!wish.second_path.empty()) {
                result = make_call(wish, wish.second_path);
            }
            ::_exit(result == 0 ? 0 : errno);
        }
        int listener = -1;
        (void)!::read(ends[0], &listener, sizeof listener);
        (void)::close(ends[0]);
        (void)::close(ends[1]);
        number_ = listener;
        auto adopted = SeccompListener::adopt(UniqueFd(listener));
        notify_ = std::move(*adopted);
    }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;
    Caller(Caller&&) = delete;
    Caller& operator=(Caller&&) = delete;
    ~Caller() {
        notify_.reset();
        if (pid_ > 0) {
            (void)::kill(pid_, SIGKILL);
            (void)::waitpid(pid_, nullptr, 0);
        }
    }

    [[nodiscard]] int listener() const { return number_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    // Its next call.
    Notification await() {
        const auto state = notify_->poll(std::chrono::seconds(60));
        EXPECT_TRUE(state && *state == ListenerState::kReadable);
        const auto received = notify_->receive();
        EXPECT_TRUE(received && *received);
        return **received;
    }
    void let_go_on(const Notification& call) {
        EXPECT_TRUE(notify_->answer(call.id, Answer::go_on()).has_value());
    }
    // Its exit code, as a shell has it.
    int end() {
        int status = 0;
        (void)::waitpid(pid_, &status, 0);
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

  private:
    pid_t pid_ = 0;
    int number_ = -1;
    std::unique_ptr<SeccompListener> notify_;
};

class Binding : public testing::Test {
  protected:
    void SetUp() override {
        if (!std::filesystem::exists(EXECSEAL_BINDING)) {
            GTEST_SKIP() << "built without clang or libbpf: no BPF programs";
        }
        auto opened = BindingPrograms::open(run_dir_, EXECSEAL_BINDING);
        ASSERT_TRUE(opened.has_value()) << opened.error().text();
        programs_.emplace(std::move(*opened));
    }
    void TearDown() override {
        programs_.reset();
        EXPECT_FALSE(std::filesystem::exists(binding_dir(run_dir_) + "/compare_exec"));
        (void)::umount2((run_dir_ + "/bpf").c_str(), MNT_DETACH);
    }

    // What is right for the wish.
    exec_arm expected(const Wish& wish, pid_t caller) {
        const StringBlock argv = make_block(wish.argv);
        const StringBlock env = make_block(wish.env);
        file_.reset(::open(wish.path.c_str(), O_PATH | O_CLOEXEC));
        exec_arm arm{};
        arm.strings_hash = binding_hash(programs_->key(), argv.bytes, env.bytes);
        arm.strings_size = argv.bytes.size() + env.bytes.size();
        arm.argc = static_cast<__u32>(argv.count);
        arm.envc = static_cast<__u32>(env.count);
        arm.path_size = wish.path.size();
        arm.path_hash = binding_hash(programs_->key(), {wish.path.c_str(), wish.path.size() + 1});
        arm.serial = ++serial_;
        arm.tid = caller;
        arm.file = file_.get();
        return arm;
    }

    // Its exit code where the call comes about after it was armed as `change` has it.
    int outcome(const Wish& wish, const std::function<void(exec_arm&)>& change = nullptr) {
        Caller caller(wish);
        EXPECT_TRUE(programs_->enroll(caller.listener()).has_value());
        const Notification call = caller.await();
        exec_arm arm = expected(wish, call.tid.value);
        if (change) {
            change(arm);
        }
        const auto armed = programs_->arm(arm);
        EXPECT_TRUE(armed.has_value()) << armed.error().text();
        caller.let_go_on(call);
        const int code = caller.end();
        programs_->dismiss(caller.listener());
        return code;
    }
    // What was told of the last one that was armed; 0: nothing.
    __u32 told_what() { return last_told().what; }
    __u32 told_field() { return last_told().field; }
    const exec_told& last_told() {
        programs_->drain([this](const exec_told& told, const exec_taken* taken) {
            told_ = told;
            taken_.reset();
            if (taken != nullptr) {
                taken_ = *taken;
            }
        });
        return told_;
    }

    ScratchFolder folder_;
    std::string run_dir_ = folder_.path();
    std::optional<BindingPrograms> programs_;
    UniqueFd file_;
    __u64 serial_ = 0;
    exec_told told_{};
    std::optional<exec_taken> taken_;
};

TEST_F(Binding, WhatWasArmedRuns) {
    EXPECT_EQ(outcome({}), kRan);
    EXPECT_EQ(told_what(), static_cast<__u32>(kToldExecuted));
    EXPECT_EQ(last_told().serial, serial_);
    const Wish none{.argv = {"busybox"}, .env = {}};
    EXPECT_EQ(outcome(none), 0) << "no environment";
}

TEST_F(Binding, AnythingElseDiesAndIsTold) {
    struct Row {
        const char* what;
        std::function<void(exec_arm&)> change;
        __u32 field;
    };
    const UniqueFd other(::open("/bin/sh", O_PATH | O_CLOEXEC));
    const std::vector<Row> rows{
        {"strings", [](exec_arm& arm) { ++arm.strings_hash; }, kTakenStrings},
        {"length", [](exec_arm& arm) { ++arm.strings_size; }, kTakenLength},
        {"argc", [](exec_arm& arm) { ++arm.argc; }, kTakenCount},
        {"envc", [](exec_arm& arm) { --arm.envc; }, kTakenCount},
        {"path", [](exec_arm& arm) { ++arm.path_hash; }, kTakenPath},
        {"shorter path", [](exec_arm& arm) { --arm.path_size; }, kTakenPath},
        {"file", [&](exec_arm& arm) { arm.file = other.get(); }, kTakenFile},
    };
    for (const Row& row : rows) {
        EXPECT_EQ(outcome({}, row.change), kKilled) << row.what;
        EXPECT_EQ(told_what(), static_cast<__u32>(kToldKilled)) << row.what;
        EXPECT_EQ(told_field(), row.field) << row.what;
        ASSERT_TRUE(taken_.has_value()) << row.what;
        EXPECT_STREQ(taken_->path, kShell) << row.what;
        EXPECT_STREQ(taken_->strings, "busybox") << row.what;
        EXPECT_EQ(taken_->argc, 4U) << row.what;
    }
}

TEST_F(Binding, LargeArgumentsAreComparedToTheirEnd) {
    Wish large;
    large.argv = {"busybox", "true"};
    for (int i = 0; i < 48; ++i) {
        large.argv.emplace_back(100000, 'x');
    }
    // The stack's limit bounds them at a quarter of it.
    const rlimit before = [] {
        rlimit limit{};
        (void)::getrlimit(RLIMIT_STACK, &limit);
        return limit;
    }();
    const rlimit more{before.rlim_max, before.rlim_max};
    (void)::setrlimit(RLIMIT_STACK, &more);
    EXPECT_EQ(outcome(large), 0);
    EXPECT_EQ(outcome(large, [](exec_arm& arm) { ++arm.strings_hash; }), kKilled);
    (void)::setrlimit(RLIMIT_STACK, &before);
    Wish many;
    many.argv.assign(100000, "");
    many.argv[0] = "busybox";
    many.argv[1] = "true";
    EXPECT_EQ(outcome(many), 0);
}

TEST_F(Binding, AnEmptyArgvIsOneEmptyString) {
    // Linux 5.18; busybox finds no applet of that name.
    Wish wish;
    wish.argv = {};
    Wish taken = wish;
    taken.argv = {""};
    const exec_arm right = expected(taken, 0);
    const auto arm_as_taken = [&right](exec_arm& arm) {
        arm.argc = right.argc;
        arm.strings_size = right.strings_size;
        arm.strings_hash = right.strings_hash;
    };
    EXPECT_NE(outcome(wish, arm_as_taken), kKilled);
    EXPECT_EQ(told_what(), static_cast<__u32>(kToldExecuted));
}

TEST_F(Binding, AMemberThatNobodyHasArmedDies) {
    Caller caller({});
    ASSERT_TRUE(programs_->enroll(caller.listener()).has_value());
    caller.let_go_on(caller.await());
    EXPECT_EQ(caller.end(), kKilled);
    EXPECT_EQ(told_field(), static_cast<__u32>(kTakenUnarmed));
    programs_->dismiss(caller.listener());

    Caller stranger({});
    stranger.let_go_on(stranger.await());
    EXPECT_EQ(stranger.end(), kRan) << "of a listener that was not enrolled";
}

TEST_F(Binding, OnceIsOnce) {
    Caller caller({.path = "/proc/self/environ", .second_path = kShell});
    ASSERT_TRUE(programs_->enroll(caller.listener()).has_value());
    const Notification first = caller.await();
    exec_arm arm = expected({}, first.tid.value);
    ASSERT_TRUE(programs_->arm(arm).has_value());
    caller.let_go_on(first);
    const Notification second = caller.await();
    // The first one has failed, so what was armed stands; it is right for the second one.
    caller.let_go_on(second);
    EXPECT_EQ(caller.end(), kRan);
    programs_->dismiss(caller.listener());
}

TEST_F(Binding, OnlyMembersOfOnesOwnCanBeArmed) {
    auto other = BindingPrograms::open(run_dir_, EXECSEAL_BINDING);
    ASSERT_TRUE(other.has_value()) << other.error().text();
    Caller caller({});
    const Notification call = caller.await();
    exec_arm arm = expected({}, call.tid.value);
    auto refused = programs_->arm(arm);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, EPERM) << "not enrolled";
    ASSERT_TRUE(programs_->enroll(caller.listener()).has_value());
    refused = other->arm(arm);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, EPERM) << "another supervisor's";
    EXPECT_TRUE(programs_->arm(arm).has_value()) << "the control";
    arm.tid = ::getpid();
    EXPECT_EQ(programs_->arm(arm).error().code, EPERM) << "a process of the host";
    arm.tid = (1 << 22) - 1;
    EXPECT_EQ(programs_->arm(arm).error().code, ESRCH);
    programs_->dismiss(caller.listener());
}

TEST_F(Binding, AnAddressThatIsUsedAgainMakesNoMember) {
    for (int i = 0; i < 300; ++i) {
        Caller caller({});
        ASSERT_TRUE(programs_->enroll(caller.listener()).has_value());
        // Gone without dismiss(), as with a supervisor that was killed.
    }
    int killed = 0;
    for (int i = 0; i < 1000; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            // With and without a listener of its own.
            (void)install_filter(0);
            (void)make_call({}, kShell);
            ::_exit(1);
        }
        int status = 0;
        (void)::waitpid(child, &status, 0);
        killed += WIFSIGNALED(status) ? 1 : 0;
        if (i % 10 == 0) {
            Caller stranger({});
            stranger.let_go_on(stranger.await());
            killed += stranger.end() == kRan ? 0 : 1;
        }
    }
    EXPECT_EQ(killed, 0);
    Caller member({});
    ASSERT_TRUE(programs_->enroll(member.listener()).has_value());
    member.let_go_on(member.await());
    EXPECT_EQ(member.end(), kKilled) << "the control";
}

TEST_F(Binding, AFailedExecIsFoundByLooking) {
    // Nothing that the kernel can execute, by its own answer.
    Caller caller({.path = "/etc/passwd", .second_path = kShell});
    ASSERT_TRUE(programs_->enroll(caller.listener()).has_value());
    const Notification first = caller.await();
    exec_arm arm = expected({}, first.tid.value);
    ASSERT_TRUE(programs_->arm(arm).has_value());
    const auto looked_while_it_waits = programs_->look(arm.serial, first.tid, Tgid{caller.pid()});
    ASSERT_TRUE(looked_while_it_waits.has_value());
    EXPECT_EQ(looked_while_it_waits->state, kLookExecuting);
    EXPECT_EQ(told_what(), 0U);
    caller.let_go_on(first);
    const Notification second = caller.await();
    arm = expected({}, second.tid.value);
    ASSERT_TRUE(programs_->arm(arm).has_value());
    caller.let_go_on(second);
    EXPECT_EQ(caller.end(), kRan);
    const auto gone = programs_->look(arm.serial, second.tid, Tgid{caller.pid()});
    ASSERT_TRUE(gone.has_value());
    EXPECT_EQ(gone->state, kLookGone);
    programs_->dismiss(caller.listener());
}

TEST_F(Binding, WhatFailsTellsItsErrno) {
    Wish wish;
    wish.path = "/etc/passwd";
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    // Stays in its old program, in no system call, until it is killed.
    const UniqueFd from(ends[0]);
    const UniqueFd into(ends[1]);
    int listener = -1;
    const auto child = static_cast<pid_t>(::syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
        (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int mine = install_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER);
        (void)!::write(into.get(), &mine, sizeof mine);
        (void)make_call(wish, wish.path);
        for (volatile bool on = true; on;) {
        }
    }
    ASSERT_EQ(::read(from.get(), &listener, sizeof listener),
              static_cast<ssize_t>(sizeof listener));
    auto adopted = SeccompListener::adopt(UniqueFd(listener));
    ASSERT_TRUE(adopted.has_value());
    const std::unique_ptr<SeccompListener> notify = std::move(*adopted);
    ASSERT_TRUE(programs_->enroll(listener).has_value());
    (void)notify->poll(std::chrono::seconds(60));
    const auto call = notify->receive();
    ASSERT_TRUE(call && *call);
    exec_arm arm = expected(wish, child);
    ASSERT_TRUE(programs_->arm(arm).has_value());
    (void)notify->answer((*call)->id, Answer::go_on());
    std::optional<exec_look> last;
    do {
        const auto looked = programs_->look(arm.serial, Tid{child}, Tgid{child});
        ASSERT_TRUE(looked.has_value());
        last = *looked;
    } while (last->state == kLookExecuting);
    EXPECT_EQ(last->state, kLookReturned);
    // A timer's interrupt in between leaves nothing to read it from.
    EXPECT_TRUE(last->error == EACCES || last->error == -1) << last->error;
    programs_->dismiss(listener);
    (void)::kill(child, SIGKILL);
    (void)::waitpid(child, nullptr, 0);
}

TEST_F(Binding, TheLastOneTakesTheProgramsAway) {
    auto other = BindingPrograms::open(run_dir_, EXECSEAL_BINDING);
    ASSERT_TRUE(other.has_value());
    const std::string link = binding_dir(run_dir_) + "/compare_exec";
    EXPECT_TRUE(std::filesystem::exists(link));
    { const BindingPrograms gone = std::move(*other); }
    EXPECT_TRUE(std::filesystem::exists(link)) << "the test's own is left";
    EXPECT_EQ(outcome({}), kRan);
}

TEST_F(Binding, SaysWhyItCannotBe) {
    const auto opened = BindingPrograms::open(run_dir_ + "/other", "/bin/false");
    ASSERT_FALSE(opened.has_value());
    EXPECT_NE(opened.error().text().find("/bin/false"), std::string::npos) << opened.error().text();
    std::filesystem::remove_all(run_dir_ + "/other");
}

}  // namespace
}  // namespace execseal
