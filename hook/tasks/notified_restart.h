// notified_restart: a notified call that a signal has made leave its wait starts again.
#pragma once

#include <functional>

#include "hook/os/ptrace.h"

namespace execseal {

// For the Tracer: makes the call of a stopped task start again after the signal's handler, whatever
// the handler's SA_RESTART says, where it is one that is notified and was interrupted in the notify
// queue. Without us it would not have waited there, and fork(2) has no EINTR. `ptrace` outlives it.
std::function<void(Tid)> restart_notified_calls(Ptrace& ptrace);

}  // namespace execseal
