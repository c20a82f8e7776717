// `execseal tree`: who started what in a container, from the audit file.
#pragma once

#include "hook/cli/events.h"

namespace execseal {

// Of the query's containers. The exit code, 1 where lines were read that are no events. With
// `follow` each exec that comes is told as it comes, and it only returns when something failed.
Result<int> run_tree(EventsOptions options);

}  // namespace execseal
