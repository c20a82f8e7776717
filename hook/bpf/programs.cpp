#include "hook/bpf/programs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include "hook/os/captured_run.h"

namespace execseal {
namespace {

constexpr const char* kNodesBpffs = "/sys/fs/bpf";
constexpr std::size_t kRingSize = 32768;
constexpr std::chrono::seconds kLoadDeadline{20};
constexpr unsigned kPidBits = 22;  // PID_MAX_LIMIT, include/linux/threads.h
constexpr const char* kLink = "/compare_exec";
constexpr std::array<const char*, 6> kPins{kLink, "/members", "/rings", "/enroll", "/arm", "/look"};

// As struct member of exec_binding.bpf.c.
struct MemberValue {
    std::uint64_t token[2];
    std::uint64_t first_id;
    std::uint32_t ring;
    std::uint32_t unused;
};

Result<UniqueFd> take_lock(const std::string& path) {
    UniqueFd lock(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock.valid()) {
        return Error{errno, path};
    }
    if (::flock(lock.get(), LOCK_EX) != 0) {
        return Error{errno, "flock " + path};
    }
    return lock;
}

void let_go(const UniqueFd& lock) {
    (void)::flock(lock.get(), LOCK_UN);
}

// bpf_task_from_pid() takes numbers of that one. Its inode is fixed: PROC_PID_INIT_INO,
// include/linux/proc_ns.h.
bool in_first_pid_namespace() {
    constexpr ino_t kFirst = 0xEFFFFFFCU;
    struct stat status {};
    return ::stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == kFirst;
}

Error error_of(int negative, const char* what) {
    return Error{-negative, what};
}

}  // namespace

std::string binding_dir(const std::string& run_dir) {
    struct statfs status {};
    if (::statfs(kNodesBpffs, &status) != 0 || status.f_type != BPF_FS_MAGIC) {
        return run_dir + "/bpf";
    }
    std::array<char, 17> name{};
    (void)std::snprintf(name.data(), name.size(), "%016lx",
                        static_cast<unsigned long>(binding_hash({}, run_dir)));
    return std::string(kNodesBpffs) + "/execseal-" + name.data();
}

std::string binding_loader(const std::string& hook) {
    return hook.substr(0, hook.rfind('/') + 1) + "execseal-binding";
}

std::uint64_t binding_hash(const std::array<std::uint64_t, 2>& key, std::string_view first,
                           std::string_view second) {
    sip_state sip{};
    sip_begin(&sip, key[0], key[1]);
    const std::size_t size = first.size() + second.size();
    const std::size_t whole = (size + kSipChunk - 1) / kSipChunk * kSipChunk;
    std::size_t at = 0;
    // Words that lie in one of the two are read as such; the one across, and the padding, by bytes.
    const auto byte_at = [&](std::size_t i) -> std::uint64_t {
        if (i < first.size()) {
            return static_cast<unsigned char>(first[i]);
        }
        return i < size ? static_cast<unsigned char>(second[i - first.size()]) : 0;
    };
    while (at < whole) {
        std::uint64_t word = 0;
        if (at + sizeof word <= first.size()) {
            std::memcpy(&word, first.data() + at, sizeof word);
        } else if (at >= first.size() && at + sizeof word <= size) {
            std::memcpy(&word, second.data() + (at - first.size()), sizeof word);
        } else if (at < size) {
            for (std::size_t i = 0; i < sizeof word; ++i) {
                word |= byte_at(at + i) << (8 * i);
            }
        }
        sip_word(&sip, word);
        at += sizeof word;
    }
    return sip_end(&sip, size);
}

Result<BindingPrograms> BindingPrograms::open(const std::string& run_dir,
                                              const std::string& loader) {
    if (!in_first_pid_namespace()) {
        return make_error("the supervisor is not in the node's first PID namespace");
    }
    std::error_code failed;
    std::filesystem::create_directories(run_dir, failed);
    auto lock = take_lock(run_dir);
    if (!lock) {
        return lock.error();
    }
    auto ring = BpfRing::create(kRingSize);
    if (!ring) {
        return ring.error();
    }
    BindingPrograms programs(binding_dir(run_dir), std::move(*lock), std::move(*ring));
    auto opened = programs.open_pins();
    if (!opened) {
        const auto run = run_captured({loader, "load", programs.dir_}, kLoadDeadline);
        if (!run) {
            return add_context(loader, run.error());
        }
        if (run->exit_code != 0) {
            return make_error(run->out.empty()
                                  ? loader + ": exit code " + std::to_string(run->exit_code)
                                  : run->out.substr(0, run->out.find('\n')));
        }
        opened = programs.open_pins();
    }
    if (!opened) {
        return opened.error();
    }
    programs.forget_dead_supervisors();
    static std::uint32_t made = 0;  // of this process
    programs.ring_key_ = static_cast<std::uint32_t>(::getpid()) | made++ << kPidBits;
    if (::getrandom(programs.token_.data(), sizeof programs.token_, 0) != sizeof programs.token_ ||
        ::getrandom(programs.key_.data(), sizeof programs.key_, 0) != sizeof programs.key_) {
        return Error{errno, "getrandom"};
    }
    const int ring_fd = programs.ring_.fd();
    if (auto put = update_map(programs.rings_.get(), &programs.ring_key_, &ring_fd); !put) {
        return put.error();
    }
    let_go(programs.lock_);
    return programs;
}

Result<> BindingPrograms::open_pins() {
    // Without its link the programs compare nothing.
    if (auto link = open_pinned(dir_ + kLink); !link) {
        return link.error();
    }
    const std::array<std::pair<const char*, UniqueFd*>, 5> opened{{{"/members", &members_},
                                                                   {"/rings", &rings_},
                                                                   {"/enroll", &enroll_},
                                                                   {"/arm", &arm_},
                                                                   {"/look", &look_}}};
    for (const auto& [name, into] : opened) {
        auto fd = open_pinned(dir_ + name);
        if (!fd) {
            return fd.error();
        }
        *into = std::move(*fd);
    }
    return Ok{};
}

// Their listeners' filters are dead, or a successor has enrolled them anew under its own ring.
void BindingPrograms::forget_dead_supervisors() {
    std::vector<std::uint32_t> dead;
    (void)for_each_key(rings_.get(), sizeof(std::uint32_t), [&dead](const void* key) {
        std::uint32_t pid = 0;
        std::memcpy(&pid, key, sizeof pid);
        const auto owner = static_cast<pid_t>(pid & ((1U << kPidBits) - 1));
        if (::kill(owner, 0) != 0 && errno == ESRCH) {  // allowed: asks only
            dead.push_back(pid);
        }
    });
    if (dead.empty()) {
        return;
    }
    (void)for_each_key(members_.get(), sizeof(std::uint64_t), [&](const void* key) {
        MemberValue member{};
        if (read_map(members_.get(), key, &member) &&
            std::find(dead.begin(), dead.end(), member.ring) != dead.end()) {
            (void)delete_from_map(members_.get(), key);
        }
    });
    for (const std::uint32_t pid : dead) {
        (void)delete_from_map(rings_.get(), &pid);
    }
}

BindingPrograms::~BindingPrograms() {
    if (lock_.valid()) {
        leave();
    }
}

void BindingPrograms::leave() {
    if (!members_.valid() || ::flock(lock_.get(), LOCK_EX) != 0) {
        return;
    }
    for (const auto& [listener, filter] : filters_) {
        (void)delete_from_map(members_.get(), &filter);
    }
    if (ring_key_ != 0) {
        (void)delete_from_map(rings_.get(), &ring_key_);
    }
    forget_dead_supervisors();
    bool others = false;
    (void)for_each_key(rings_.get(), sizeof(std::uint32_t),
                       [&others](const void*) { others = true; });
    if (!others) {
        for (const char* pin : kPins) {
            (void)::unlink((dir_ + pin).c_str());
        }
        (void)::rmdir(dir_.c_str());  // not a mount of its own, which an empty bpffs stays
    }
    let_go(lock_);
}

Result<> BindingPrograms::enroll(int listener) {
    exec_enroll what{};
    what.token[0] = token_[0];
    what.token[1] = token_[1];
    what.listener = listener;
    what.ring = ring_key_;
    if (auto called = call_program(enroll_.get(), &what, sizeof what); !called) {
        return called.error();
    }
    if (what.error != 0) {
        return error_of(what.error, "enrolling a listener");
    }
    filters_[listener] = what.filter;
    return Ok{};
}

void BindingPrograms::dismiss(int listener) {
    const auto found = filters_.find(listener);
    if (found != filters_.end()) {
        (void)delete_from_map(members_.get(), &found->second);
        filters_.erase(found);
    }
}

Result<> BindingPrograms::arm(exec_arm& what) {
    what.token[0] = token_[0];
    what.token[1] = token_[1];
    what.key[0] = key_[0];
    what.key[1] = key_[1];
    if (auto called = call_program(arm_.get(), &what, sizeof what); !called) {
        return called.error();
    }
    if (what.error != 0) {
        return error_of(what.error, "arming an exec");
    }
    return Ok{};
}

Result<exec_look> BindingPrograms::look(std::uint64_t serial, Tid caller, Tgid process) {
    exec_look what{};
    what.serial = serial;
    what.tid = caller.value;
    what.process = process.value;
    if (auto called = call_program(look_.get(), &what, sizeof what); !called) {
        return called.error();
    }
    return what;
}

void BindingPrograms::drain(const Take& take) {
    ring_.drain([&take](std::span<const std::byte> record) {
        exec_told told{};
        if (record.size() < sizeof told) {
            return;
        }
        std::memcpy(&told, record.data(), sizeof told);
        const bool has_taken = told.what == kToldKilled && record.size() >= sizeof(exec_taken);
        take(told, has_taken ? reinterpret_cast<const exec_taken*>(record.data()) : nullptr);
    });
}

}  // namespace execseal
