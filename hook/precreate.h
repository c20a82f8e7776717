// `execseal-hook precreate`: podman's own hook stage, before the runtime is called at all.
//
// Takes config.json on stdin and gives the edited one on stdout, the same as execseal-runtime would
// write; the supervisor's socket listens by then, since crun connects before its first hook. A
// container that is not ours comes out byte for byte. Anything but exit code 0 makes podman give up
// the container.
#pragma once

namespace execseal {

int run_precreate();

}  // namespace execseal
