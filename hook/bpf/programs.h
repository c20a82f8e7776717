// BindingPrograms: the BPF programs that compare an exec in the kernel, as one supervisor uses
// them.
//
// One set a node: the first supervisor has it loaded and pinned below run_dir, the last one takes
// it away. Pinned, so that an exec on its way is still compared when its supervisor dies. Needs
// CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN at its start only. Single-threaded.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "hook/bpf/exec_binding.h"
#include "hook/os/bpf.h"
#include "hook/os/ids.h"
#include "hook/os/result.h"

namespace execseal {

// Where the programs are pinned, of a node's run_dir: in the node's bpffs, where it is mounted,
// else in one of its own below run_dir.
std::string binding_dir(const std::string& run_dir);

// The loader of an installation, which stands beside its `hook`.
std::string binding_loader(const std::string& hook);

// A keyed hash of what the kernel hashes: `first`, then `second`, as one run of bytes.
std::uint64_t binding_hash(const std::array<std::uint64_t, 2>& key, std::string_view first,
                           std::string_view second = {});

class BindingPrograms {
  public:
    // `loader`: the program that loads them where they are not there yet. An Error says why this
    // node binds by ptrace alone: no such kernel, no rights, no loader, or its self-test.
    static Result<BindingPrograms> open(const std::string& run_dir, const std::string& loader);

    BindingPrograms(const BindingPrograms&) = delete;
    BindingPrograms& operator=(const BindingPrograms&) = delete;
    BindingPrograms(BindingPrograms&&) noexcept = default;
    BindingPrograms& operator=(BindingPrograms&&) = delete;
    // Takes its members out, and the programs away where nobody else's are left.
    ~BindingPrograms();

    // Whoever has this listener's filter is a member from now on: it executes what was armed, or
    // dies. Before the first answer; the listener is open until dismiss(). `listener` is the number
    // for dismiss(), too.
    Result<> enroll(int listener);
    // Before the listener's last descriptor is closed: its filter's address may be used again.
    void dismiss(int listener);

    // The Error's code: ESRCH: it is gone; EPERM: it is no member of ours.
    Result<> arm(exec_arm& what);
    Result<exec_look> look(std::uint64_t serial, Tid caller, Tgid process);
    [[nodiscard]] const std::array<std::uint64_t, 2>& key() const { return key_; }

    [[nodiscard]] bool has_news() const { return ring_.has_news(); }
    [[nodiscard]] int ring_fd() const { return ring_.fd(); }
    // `taken` is null for what was executed.
    using Take = std::function<void(const exec_told& told, const exec_taken* taken)>;
    void drain(const Take& take);

  private:
    BindingPrograms(std::string dir, UniqueFd lock, BpfRing ring)
        : dir_(std::move(dir)), lock_(std::move(lock)), ring_(std::move(ring)) {}
    Result<> open_pins();
    void forget_dead_supervisors();
    void leave();

    std::string dir_;
    UniqueFd lock_;  // run_dir's; taken by all who load or leave
    BpfRing ring_;
    UniqueFd members_;
    UniqueFd rings_;
    UniqueFd enroll_;
    UniqueFd arm_;
    UniqueFd look_;
    std::uint32_t ring_key_ = 0;
    std::array<std::uint64_t, 2> token_{};
    std::array<std::uint64_t, 2> key_{};
    std::map<int, std::uint64_t> filters_;  // by listener
};

}  // namespace execseal
