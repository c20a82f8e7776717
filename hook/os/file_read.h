// Reads a whole configuration file, bounded: settings, policies, config.json.
//
// Never blocks on what is not a regular file (a FIFO in its place is refused) and never cuts: a
// file over the limit is an Error.
#pragma once

#include <cstddef>
#include <string>

#include "hook/os/result.h"

namespace execseal {

// The Error's code is open(2)'s errno where it failed (ENOENT: no such file); its context names the
// path.
Result<std::string> read_file(const std::string& path, std::size_t limit);

}  // namespace execseal
