// `execseal-hook supervise`: the life of one container's supervisor, from the launch document to
// the last hang-up.
#pragma once

namespace execseal {

// Reads the launch document (hook/launch/launch_document.h), sets up, says READY, serves, ends.
// Returns the exit code.
int run_supervise();

}  // namespace execseal
