// worker: the reader's expendable process, which touches the caller's memory and files.
//
// Takes a job of study_wire.h, gives the study and the descriptors of its files. May block for ever
// in any of it; the reader ends the process then. Its caches live from job to job.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "hook/exec/arguments.h"
#include "hook/exec/program.h"
#include "hook/exec/study_wire.h"
#include "hook/os/unique_fd.h"

namespace execseal {

class StudyWorker {
  public:
    // `mounts`: of the container's start; null: not known yet, a found root comes with the
    // caller's.
    explicit StudyWorker(std::shared_ptr<const ContainerMounts> mounts);

    // As ExpendableWork: the size of the reply in `room`, 0 where it does not fit (or has too many
    // descriptors), which the reader takes for unreadable.
    std::size_t answer(std::span<const std::byte> bytes, std::span<std::byte> room,
                       std::vector<UniqueFd>& fds);

  private:
    void find_root(Tid task);
    void add_mounts(const CallerView& view);
    void study_whole(const StudyJob& job);

    ExecRequestReader request_{stack_limit_of};
    ProgramResolver resolver_;
    ExecStudy study_;
};

}  // namespace execseal
