// LaunchDocument: what a launcher tells the supervisor that it starts, written and read here alone.
//
// The supervisor gets it as a memfd; the creator comes as a pidfd beside it. It answers with one
// line on a pipe: kReadyWord when its sockets listen, or what went wrong.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "config/plan.h"
#include "hook/os/result.h"

namespace execseal {

// When a supervisor that no listener has reached gives up: the container never came to be.
struct LaunchTerms {
    pid_t creator = 0;  // once this process (the runtime, or who calls it) has ended
    // Also after this time, for creators that outlive a failed create; absent: no bound.
    std::optional<std::chrono::milliseconds> arrival;
    // A cgroup's directory that the supervisor moves to; empty: it stays in the launcher's.
    std::string cgroup{};
    // It follows one that died: a task of the container, whose calls in flight are to come again.
    // 0: it is the first.
    pid_t recover_from = 0;
};

struct LaunchDocument {
    Plan plan;
    std::string settings_path;
    LaunchTerms terms;  // but for `creator`
};

std::string launch_document_text(const LaunchDocument& document);
// Errors are one line that names the member.
Result<LaunchDocument> parse_launch_document(std::string_view text);

// The supervisor's descriptors.
inline constexpr int kLaunchDocumentFd = 0;
inline constexpr int kReadyPipeFd = 1;
inline constexpr int kCrashLogFd = 2;  // for what the process can only say while dying
inline constexpr int kCreatorPidFd = 3;
inline constexpr int kLaunchFds = 4;

inline constexpr std::string_view kReadyWord = "READY";

}  // namespace execseal
