// What `execseal-hook` does as an OCI hook, one function a stage.
//
// Each takes the State on stdin, writes one line to stderr when it refuses, and returns the exit
// code: anything but 0 makes the runtime give up the container.
#pragma once

namespace execseal {

// runc, crun: sees to it that this container's supervisor listens and is the one that config.json
// and policies ask for. It starts the supervisor where nobody has (runc runs hooks before it
// connects), and verifies it otherwise.
int run_create_runtime();

// Clears what a supervisor that died has left; a living one ends by itself when its last listener
// hangs up.
int run_poststop();

}  // namespace execseal
