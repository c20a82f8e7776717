// Supervisors: who of the node's tasks is a supervisor of ours, of whatever container.
//
// Two containers may share a PID namespace, and without control groups of their own also each
// other's tasks: then one supervisor finds a caller in the other's hands, which will let it go.
#pragma once

#include "hook/os/ids.h"
#include "hook/os/procfs.h"

namespace execseal {

// Executes the very file that we execute, for our user, in our own PID namespace, so that no
// debugger in a container passes for one. (In a container that shares the host's PID namespace root
// could make it execute that file. That makes a call wait a little before it is refused.) Waits for
// nobody.
bool is_supervisor(Tid tid, Procfs& procfs);

}  // namespace execseal
