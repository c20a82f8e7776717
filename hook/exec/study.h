// study: all that is known of one exec before it is judged.
//
// Made by the reader (reader.h), which asks a process of its own for it; read by the judge and by
// `execseal policy explain`.
#pragma once

#include <cstdint>

#include "hook/exec/arguments.h"
#include "hook/exec/program.h"
#include "hook/os/task_ids.h"

namespace execseal {

struct ExecStudy {
    ExecSnapshot snapshot;
    // Looked for only when the snapshot is complete, and not for StudyScope::kMemory.
    Program program;
    TaskIds caller;
    static constexpr std::uint64_t kSharersIgnored = ~std::uint64_t{0};
    std::uint64_t fs_serial = kSharersIgnored;  // FsSharers::serial() when it began
};

// kMemory: the bytes alone, for the second look of a frozen caller. kRoot: of no call, but of a
// task; only program.root, where program.outcome is kFound.
enum class StudyScope { kMemory, kMemoryAndProgram, kRoot };

}  // namespace execseal
