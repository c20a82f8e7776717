// reader: reads and resolves one exec in an expendable process, within a deadline.
//
// The supervisor's side: takes a decoded call, gives its bytes (arguments.h) and its program
// (program.h). worker.h is the other process's side, study_wire.h what goes between them. Whatever
// a container can make hang (a page of an unanswered FUSE file, a dead NFS mount under the path)
// hangs there: the process is killed and the request is kBlocked. Memory of the caller and files of
// the container are touched in no other process of ours.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "hook/exec/fs_sharers.h"
#include "hook/exec/study.h"
#include "hook/os/expendable.h"

namespace execseal {

class ExecReader {
  public:
    explicit ExecReader(std::chrono::milliseconds deadline) : deadline_(deadline) {}

    // Who the container's root is for us (0 until it is told): whose folders others cannot change.
    void set_container_root(uid_t root) { container_root_ = root; }

    // The mounts of the container's start, which are learnt with its root: from the first study
    // that was made without one. Until then all are taken for such.
    [[nodiscard]] const ContainerMounts* mounts() const { return mounts_.get(); }
    void set_mounts(ContainerMounts mounts);

    // Who may share an exec's root and working directory; outlives this. While somebody does, the
    // program is unresolved: it could be made to open other files than those of the same name here.
    void watch(const FsSharers& sharers) { sharers_ = &sharers; }

    // Whether the next begin() starts no process.
    [[nodiscard]] bool has_idle() const { return !idle_.empty(); }

    // While this is set a process that is started serves one job only: the supervisor holds much
    // that it would keep a copy of.
    void set_holds_much(bool much) { holds_much_ = much; }

    // Starts the first process ahead of need.
    Result<> warm_up();

    // Waits; the snapshot is kBlocked when one sleep of the process has lasted for a deadline. It
    // is looked at once a deadline, so that this takes one to two of them. Time in which the
    // process had no CPU, or in which nobody looked (the supervisor itself had none, or was
    // stopped), is no sign of a page that hangs, and a slow file system (FUSE without readahead) is
    // none either: the deadline begins anew then, a bounded number of times.
    ExecStudy study(const ExecCall& call, StudyScope scope,
                    const std::optional<RootIdentity>& container);

    // The same for a loop that has others to serve: begin, wait for fd() to become readable,
    // collect. A ticket that is dropped kills its process.
    class Ticket {
      public:
        [[nodiscard]] int fd() const { return process_ ? process_->fd() : -1; }
        [[nodiscard]] std::chrono::steady_clock::time_point deadline() const { return deadline_; }

      private:
        friend class ExecReader;
        std::optional<Expendable> process_;
        ExecCall call_;
        std::uint64_t fs_serial_ = ExecStudy::kSharersIgnored;
        std::string failure_;
        std::chrono::steady_clock::time_point deadline_;
        int extensions_ = 0;
        int sleeps_ = 0;                      // that it was seen in
        std::optional<std::uint64_t> sleep_;  // at the last look
        bool once_ = false;                   // see set_holds_much()
    };
    // `limit`: of the bytes of argv and environment, see ExecRequestReader::set_limit().
    Ticket begin(const ExecCall& call, StudyScope scope,
                 const std::optional<RootIdentity>& container, std::size_t limit = kMaxArgTotal);
    // nullopt: not yet, and the ticket's deadline has not passed. Waits no longer than until
    // `until`.
    std::optional<ExecStudy> collect(Ticket& ticket, std::chrono::steady_clock::time_point until);

  private:
    Result<Expendable> take_process();
    // False: it hangs, or has had too much time.
    [[nodiscard]] bool try_extend(Ticket& ticket, std::chrono::steady_clock::time_point now) const;

    [[nodiscard]] std::string blocked_reason(const Ticket& ticket) const;

    std::chrono::milliseconds deadline_;
    uid_t container_root_ = 0;
    const FsSharers* sharers_ = nullptr;
    std::shared_ptr<const ContainerMounts> mounts_;
    std::vector<Expendable> idle_;
    bool holds_much_ = false;
};

}  // namespace execseal
