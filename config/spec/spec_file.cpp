#include "config/spec/spec_file.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "config/json_reader.h"
#include "hook/os/executable.h"
#include "hook/os/file_read.h"
#include "hook/os/file_replace.h"

namespace execseal {

Result<SpecFile> SpecFile::open(const std::string& path) {
    auto real = real_path(path);
    if (!real) {
        return real.error();
    }
    auto text = read_file(*real, kSpecLimit);
    if (!text) {
        return text.error();
    }
    SpecFile file;
    file.path_ = std::move(*real);
    file.original_ = std::move(*text);
    return file;
}

Result<nlohmann::ordered_json> SpecFile::parse() const {
    JsonLimits limits;
    limits.bytes = kSpecLimit;
    return parse_json(original_, path_, limits);
}

Result<> SpecFile::write(const nlohmann::ordered_json& spec) {
    const std::string text = spec.dump();
    if (text == original_) {
        return Ok{};
    }
    auto replaced = replace_file(path_, text);
    replaced_ = replaced.has_value();
    return replaced;
}

Result<> SpecFile::restore() {
    if (!std::exchange(replaced_, false)) {
        return Ok{};
    }
    return replace_file(path_, original_);
}

}  // namespace execseal
