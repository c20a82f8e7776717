// CpuGroup: a control group for a supervisor and its readers, beside the container's, with a share
// of the CPU of its own.
//
// Never below the container's: a frozen or throttled container would take its supervisor with it.
// Takes the texts of /proc/TID/cgroup; v1 and v2. Works as the owner of the hierarchy's files
// with CAP_DAC_OVERRIDE. A move may wait for a grace period of the kernel's, some ten milliseconds.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "config/settings.h"
#include "hook/os/result.h"

namespace execseal {

enum class CgroupVersion { kOne, kTwo };

class CpuGroup {
  public:
    // Beside the group of the container, of which `member` is the text of a task; the Error says
    // what its hierarchy lacks. `ours`: of this process, which goes back there.
    static Result<CpuGroup> make(std::string_view member, std::string_view ours,
                                 const std::string& container_id, const SupervisorCpu& cpu);
    // The same with the directories known: of the container's group and of ours.
    static Result<CpuGroup> make_at(CgroupVersion version, const std::string& container,
                                    const std::string& ours, const std::string& container_id,
                                    const SupervisorCpu& cpu);
    CpuGroup(CpuGroup&& other) noexcept;
    CpuGroup& operator=(CpuGroup&& other) noexcept;
    CpuGroup(const CpuGroup&) = delete;
    CpuGroup& operator=(const CpuGroup&) = delete;
    // Whoever is in it goes back, and it is removed.
    ~CpuGroup();

    // With its children that are there by then; later ones are born into it.
    Result<> take(pid_t process);
    [[nodiscard]] const std::string& directory() const { return directory_; }

  private:
    CpuGroup(std::string directory, std::string before)
        : directory_(std::move(directory)), before_(std::move(before)) {}

    std::string directory_;  // empty: moved from
    std::string before_;
};

}  // namespace execseal
