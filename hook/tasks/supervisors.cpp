#include "hook/tasks/supervisors.h"

#include <unistd.h>

#include "hook/os/path_calls.h"

namespace execseal {

bool is_supervisor(Tid tid, Procfs& procfs) {
    const auto status = procfs.status(tid);
    if (!status || !*status || (*status)->namespace_ids.size() != 1 ||
        (*status)->effective_uid != ::geteuid()) {
        return false;
    }
    const auto theirs = executable_of(Tgid{tid.value});
    const auto ours = executable_of(Tgid{::getpid()});
    return theirs && ours && *theirs == *ours;
}

}  // namespace execseal
