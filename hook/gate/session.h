// Session: one seccomp listener of the container: its init's, or one of a later `runc exec`.
//
// All tasks that descend from the session's first process notify here. The first program that this
// process itself executes is the container's entrypoint (or the exec's command); whatever else runs
// is a child of something already judged.
#pragma once

#include <memory>
#include <optional>

#include "config/exec_facts.h"
#include "hook/os/ids.h"
#include "hook/os/seccomp_notify.h"

namespace execseal {

struct Session {
    std::unique_ptr<SeccompNotify> notify;
    Via kind = Via::kExec;       // kEntrypoint for the first one
    std::optional<Tgid> leader;  // the process of the first notification: the runtime's init
    bool started = false;        // the leader has executed its program
    bool was_emptied = false;    // of its notifications, behind the event loop's back
};

// What an exec of `process` counts as.
inline Via via_of(const Session& session, Tgid process) {
    return !session.started && session.leader == process ? session.kind : Via::kChild;
}

}  // namespace execseal
