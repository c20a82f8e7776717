// study_wire: what goes between the reader and its expendable process.
//
// One list of fields for both directions (flat_message.h), so that none is forgotten in one of
// them. Lists that mostly end as the request's argv does are sent as their own beginning and how
// much of it follows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hook/exec/flat_message.h"
#include "hook/exec/study.h"

namespace execseal {

struct StudyJob {
    ExecCall call;
    StudyScope scope = StudyScope::kMemoryAndProgram;
    std::optional<RootIdentity> container;
    uid_t container_root = 0;
    std::string fs_trouble;       // why it cannot be known who shares the caller's fs
    std::vector<Tgid> fs_others;  // who may
    std::size_t limit = kMaxArgTotal;
};

// A process that had more to tell is not used again: its heap stays as large as it was.
inline constexpr std::size_t kKeptReply = std::size_t{1} << 20U;

void put_job(FlatWriter& out, const StudyJob& job);
StudyJob get_job(FlatReader& in);

// Without the files' descriptors, which go beside the message, and without what the reader knows
// better: the call, the caller's thread id, fs_serial.
void put_study(FlatWriter& out, const ExecStudy& study);
// Into a new one.
void get_study(FlatReader& in, ExecStudy& study);

}  // namespace execseal
