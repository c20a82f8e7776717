// Whose rights are these: root's of the whole node, or a user's, root in a user namespace perhaps?
#pragma once

#include <sys/types.h>

#include <string>

namespace execseal {

// Root in a user namespace that maps all ids to themselves. Where that cannot be read: true.
bool is_root_of_the_node();

// A variable of a process's environment as it was when its program started; empty where it has none
// or cannot be read.
std::string variable_of(pid_t process, const std::string& name);

}  // namespace execseal
