// TaskRights: what decides whether a task may search a directory, beside its file system ids.
//
// Of one moment, from /proc/TID; for answers that are errors anyway, never for a decision.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "hook/os/ids.h"
#include "hook/os/result.h"

namespace execseal {

// Ids of our user namespace: [first, first + count).
struct IdRange {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
};

struct TaskRights {
    std::vector<gid_t> groups;  // supplementary ones
    // CAP_DAC_OVERRIDE or CAP_DAC_READ_SEARCH, in the user namespace that has these ids.
    bool may_search_all = false;
    std::vector<IdRange> uids;
    std::vector<IdRange> gids;
};

// The Error of a task that is gone has the code ENOENT or ESRCH. Any thread.
Result<TaskRights> read_task_rights(Tid tid);

// The groups and the capability of a status file; nullopt: it lacks a line.
std::optional<TaskRights> parse_task_rights(std::string_view status);
// Of /proc/TID/uid_map and gid_map, read from our user namespace; lines that are none are left out.
std::vector<IdRange> parse_id_map(std::string_view text);

bool is_in(const std::vector<IdRange>& ranges, std::uint64_t id);

}  // namespace execseal
