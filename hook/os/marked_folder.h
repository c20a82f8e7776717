// Folders that are made for a file, and removed with it if they were made so.
//
// A folder that is made is marked by an extended attribute (xattr(7), user.execseal.made). Where
// the file system has none, the folder is made all the same and stays.
#pragma once

#include <string>

#include "hook/os/result.h"

namespace execseal {

// Makes `path` (0755) and whatever of the way to it is missing.
Result<> make_marked_folders(const std::string& path);

// Removes `path` and the folders above it, up to the first that is not marked or not empty.
void remove_marked_folders(const std::string& path);

}  // namespace execseal
