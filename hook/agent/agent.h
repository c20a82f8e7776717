// `execseal-hook agent`: the node's agent for ready profiles, whose listenerPath is one fixed
// socket.
//
// Takes {container process state, listener} of every container with such a profile, and hands it on
// to that container's own supervisor (containers.h); serves the node's metrics. Its socket is the
// service manager's (systemd socket activation) or its own. Containers are not touched by its end:
// their supervisors run on, a later agent takes over.
#pragma once

namespace execseal {

// Until SIGTERM or SIGINT; returns the exit code.
int run_agent();

}  // namespace execseal
