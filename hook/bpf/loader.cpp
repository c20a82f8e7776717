// execseal-binding: loads the BPF programs of a node and pins them; a program of its own, so that
// no supervisor carries libbpf.
//
// execseal-binding load DIRECTORY: mounts a bpffs there where there is none, loads, attaches, tries
// them out (a good exec must run, another one than was armed and one that nobody armed must die)
// and leaves them pinned. Says on stdout in one line why it cannot be; then nothing is left. The
// caller holds the node's lock.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "hook/bpf/exec_binding.h"
#include "hook/bpf/programs.h"
#include "hook/os/bpf.h"
#include "hook/os/result.h"
#include "hook/os/seccomp_notify.h"
#include "hook/os/unique_fd.h"

extern "C" {
extern const char execseal_binding_object[];
extern const char execseal_binding_object_end[];
}

namespace execseal {
namespace {

constexpr int kRan = 42;
constexpr const char* kSelf = "/proc/self/exe";
constexpr std::string_view kName("execseal-binding", sizeof "execseal-binding");  // with its NUL
constexpr std::string_view kWord("ran", sizeof "ran");
constexpr std::chrono::seconds kPatience{5};

struct ObjectCloser {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
};
struct LinkCloser {
    void operator()(bpf_link* link) const { (void)bpf_link__destroy(link); }
};

Result<> have_bpffs(const std::string& dir) {
    std::error_code failed;
    std::filesystem::create_directories(dir, failed);
    struct statfs status {};
    if (::statfs(dir.c_str(), &status) != 0) {
        return Error{errno, dir};
    }
    if (status.f_type == BPF_FS_MAGIC) {
        return Ok{};
    }
    if (::mount("bpf", dir.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0) {
        return Error{errno, "mounting a bpffs at " + dir};
    }
    return Ok{};
}

// The child shares our descriptors until its exec, so that its listener is ours.
[[noreturn]] void execute_once(int tell) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::array<sock_filter, 4> code{{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                                     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
                                     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                                     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
    const sock_fprog program{code.size(), code.data()};
    (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const int listener = static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                                    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    if (::write(tell, &listener, sizeof listener) != sizeof listener) {
        ::_exit(1);
    }
    std::array<char*, 3> argv{const_cast<char*>(kName.data()), const_cast<char*>(kWord.data()),
                              nullptr};
    std::array<char*, 1> envp{nullptr};
    (void)::execve(kSelf, argv.data(), envp.data());
    ::_exit(1);
}

enum class Trial { kArmed, kArmedForOther, kUnarmed };

struct Programs {
    int enroll = -1;
    int arm = -1;
    int members = -1;
};

Result<> arm_trial(const Programs& programs, Trial trial, Tid caller) {
    if (trial == Trial::kUnarmed) {
        return Ok{};
    }
    const UniqueFd file(::open(kSelf, O_PATH | O_CLOEXEC));
    exec_arm arm{};
    const std::array<std::uint64_t, 2> key{};
    arm.strings_hash = binding_hash(key, kName, kWord) + (trial == Trial::kArmedForOther ? 1 : 0);
    arm.strings_size = kName.size() + kWord.size();
    arm.path_size = std::strlen(kSelf);
    arm.path_hash = binding_hash(key, {kSelf, arm.path_size + 1});
    arm.argc = 2;
    arm.serial = 1;
    arm.tid = caller.value;
    arm.file = file.get();
    if (auto called = call_program(programs.arm, &arm, sizeof arm); !called) {
        return called.error();
    }
    return arm.error == 0 ? Result<>(Ok{}) : Error{-arm.error, "arming an exec"};
}

Result<> answer_trial(const Programs& programs, Trial trial, UniqueFd listener) {
    exec_enroll enroll{};
    enroll.listener = listener.get();
    if (auto called = call_program(programs.enroll, &enroll, sizeof enroll); !called) {
        return called.error();
    }
    if (enroll.error != 0) {
        return Error{-enroll.error, "enrolling a listener"};
    }
    auto notify = SeccompListener::adopt(std::move(listener));
    if (!notify) {
        return notify.error();
    }
    const auto state = (*notify)->poll(kPatience);
    const auto received = state && *state == ListenerState::kReadable
                              ? (*notify)->receive()
                              : Result<std::optional<Notification>>(std::nullopt);
    if (!received || !*received) {
        return make_error("its self-test's exec was not notified");
    }
    auto armed = arm_trial(programs, trial, (*received)->tid);
    if (armed) {
        if (auto answered = (*notify)->answer((*received)->id, Answer::go_on()); !answered) {
            return answered.error();
        }
    }
    // The listener's end would fail the exec: not before the child has ended or executed.
    siginfo_t ended{};
    (void)::waitid(P_ALL, 0, &ended, armed ? WEXITED | WNOWAIT : WNOHANG | WEXITED | WNOWAIT);
    (void)delete_from_map(programs.members, &enroll.filter);
    return armed;
}

Result<> try_out(const Programs& programs, Trial trial) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return Error{errno, "pipe2"};
    }
    const UniqueFd from(ends[0]);
    const UniqueFd tell(ends[1]);
    const auto child = static_cast<pid_t>(::syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
    if (child < 0) {
        return Error{errno, "clone"};
    }
    if (child == 0) {
        execute_once(tell.get());
    }
    int listener = -1;
    Result<> answered = make_error("its self-test could not get a listener");
    if (::read(from.get(), &listener, sizeof listener) == sizeof listener && listener >= 0) {
        answered = answer_trial(programs, trial, UniqueFd(listener));
    }
    if (!answered) {
        (void)::kill(child, SIGKILL);  // allowed: our own child, not waited for yet
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!answered) {
        return answered.error();
    }
    if (trial == Trial::kArmed) {
        return WIFEXITED(status) && WEXITSTATUS(status) == kRan
                   ? Result<>(Ok{})
                   : make_error("self-test: an exec that was armed did not run");
    }
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
               ? Result<>(Ok{})
               : make_error(trial == Trial::kUnarmed
                                ? "self-test: an exec that nobody armed ran"
                                : "self-test: another exec than was armed ran");
}

// What no trial shows.
Result<> refuse_by_kernel() {
    utsname names{};
    int major = 0;
    const char* const release = &names.release[0];
    if (::uname(&names) != 0 ||
        std::from_chars(release, release + std::strlen(release), major).ec != std::errc()) {
        return make_error("uname: the kernel does not say its version");
    }
    if (major >= 7) {
        return make_error(
            "from Linux 7.0 on a tracepoint's program can be preempted, and another "
            "exec on its CPU is not compared");
    }
    const UniqueFd realtime(::open("/sys/kernel/realtime", O_RDONLY | O_CLOEXEC));
    if (realtime.valid()) {
        return make_error("with PREEMPT_RT a tracepoint's program can be preempted");
    }
    return Ok{};
}

Result<> load(const std::string& dir) {
    if (auto refused = refuse_by_kernel(); !refused) {
        return refused;
    }
    if (auto mounted = have_bpffs(dir); !mounted) {
        return mounted.error();
    }
    (void)libbpf_set_print(nullptr);
    (void)libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
    const auto size =
        static_cast<std::size_t>(execseal_binding_object_end - execseal_binding_object);
    const std::unique_ptr<bpf_object, ObjectCloser> object(
        bpf_object__open_mem(execseal_binding_object, size, nullptr));
    if (!object) {
        return Error{errno, "the BPF object"};
    }
    if (const int error = bpf_object__load(object.get()); error != 0) {
        return Error{-error, "loading the BPF programs"};
    }
    const auto program = [&object](const char* name) {
        return bpf_object__find_program_by_name(object.get(), name);
    };
    const std::unique_ptr<bpf_link, LinkCloser> link(bpf_program__attach(program("compare_exec")));
    if (!link) {
        return Error{errno, "attaching to sched_process_exec"};
    }
    const Programs programs{bpf_program__fd(program("enroll")), bpf_program__fd(program("arm")),
                            bpf_object__find_map_fd_by_name(object.get(), "members")};
    for (const Trial trial : {Trial::kArmed, Trial::kArmedForOther, Trial::kUnarmed}) {
        if (auto tried = try_out(programs, trial); !tried) {
            return tried.error();
        }
    }
    for (const char* name : {"members", "rings"}) {
        const int fd = bpf_object__find_map_fd_by_name(object.get(), name);
        const std::string path = dir + "/" + name;
        (void)::unlink(path.c_str());
        if (const int error = bpf_obj_pin(fd, path.c_str()); error != 0) {
            return Error{-error, path};
        }
    }
    for (const char* name : {"enroll", "arm", "look"}) {
        const std::string path = dir + "/" + name;
        (void)::unlink(path.c_str());
        if (const int error = bpf_obj_pin(bpf_program__fd(program(name)), path.c_str());
            error != 0) {
            return Error{-error, path};
        }
    }
    // The last one: where it is, all are.
    const std::string path = dir + "/compare_exec";
    (void)::unlink(path.c_str());
    if (const int error = bpf_link__pin(link.get(), path.c_str()); error != 0) {
        return Error{-error, path};
    }
    return Ok{};
}

int run(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == kWord.data()) {
        return kRan;
    }
    if (argc != 3 || std::string_view(argv[1]) != "load") {
        std::fputs("usage: execseal-binding load DIRECTORY\n", stderr);
        return 2;
    }
    if (auto loaded = load(argv[2]); !loaded) {
        std::puts(loaded.error().text().c_str());
        return 1;
    }
    return 0;
}

}  // namespace
}  // namespace execseal

int main(int argc, char** argv) {
    return execseal::run(argc, argv);
}
