// SHA-256 of bytes, as lower-case hex.
#pragma once

#include <string>
#include <string_view>

#include "hook/os/result.h"

namespace execseal {

Result<std::string> sha256_hex(std::string_view bytes);

}  // namespace execseal
