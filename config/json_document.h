// JSON text from outside -> a document within bounds, with no key twice in an object.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "hook/os/result.h"

namespace execseal {

struct JsonLimits {
    std::size_t bytes = std::size_t{4} << 20;
    std::size_t depth = 32;        // nested arrays and objects
    std::size_t values = 200'000;  // of any kind, in the whole document
};

// `origin` (a file's path) opens the Error: "FILE: line 3, column 7: ...". Comments, trailing text,
// invalid UTF-8 and duplicate keys are errors.
Result<nlohmann::ordered_json> parse_json(std::string_view text, const std::string& origin,
                                          const JsonLimits& limits = {});
// The Error's code is ENOENT when there is no such file.
Result<nlohmann::ordered_json> load_json(const std::string& path, const JsonLimits& limits = {});

}  // namespace execseal
