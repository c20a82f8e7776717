// The two JSON documents that a runtime sends: State (hooks' stdin) and ContainerProcessState (the
// seccomp agent's socket).
//
// runtime-spec: runtime.md "State", config-linux.md "The Container Process State". Members that are
// not read here may be anything, runtimes add their own (crun: `root`).
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

struct OciState {
    std::string id;
    std::string bundle;  // crun says "." for an exec
    std::string status;
    pid_t pid = 0;  // 0 where the runtime does not know it (crun's exec, poststop)
    std::map<std::string, std::string> annotations;
};

struct ContainerProcessState {
    std::vector<std::string> fds;  // names of the descriptors that came with it, in order
    pid_t pid = 0;
    std::string metadata;  // the profile's listenerMetadata; empty when there is none
    // Ours, from the agent: an earlier supervisor has served this listener.
    bool resumed = false;
    OciState state;
};

// `origin` names the source in errors.
Result<OciState> parse_oci_state(std::string_view text, const std::string& origin);
Result<ContainerProcessState> parse_container_process_state(std::string_view text,
                                                            const std::string& origin);
// What parse_container_process_state() reads, for handing a message on with one seccompFd.
std::string container_process_state_text(const ContainerProcessState& message);

// Finds the end of one JSON object in a stream that may stay open after it (runc run keeps its
// socket until the container ends, so the end of the stream is no end of message). Feed it each
// chunk once.
class JsonEnd {
  public:
    // kNotAnObject: the first byte that is not white space is not '{'.
    enum class Status { kIncomplete, kComplete, kNotAnObject };
    Status feed(std::string_view chunk);

  private:
    std::size_t depth_ = 0;
    bool in_string_ = false;
    bool escaped_ = false;
    bool complete_ = false;
};

}  // namespace execseal
