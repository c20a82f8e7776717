// Writes a whole file by rename, so that a reader sees the old text or the new, never a part.
#pragma once

#include <string>

#include "hook/os/result.h"

namespace execseal {

// The file must exist; its owner, group and mode are kept. The text is on disk when this returns
// Ok; on an Error the old file is untouched and no other file is left.
Result<> replace_file(const std::string& path, const std::string& text);

// The same for a file that does not exist yet (EEXIST as the Error's code otherwise): 0644, ours.
Result<> create_file(const std::string& path, const std::string& text);

}  // namespace execseal
