// spec_file: config.json on disk.
//
// Reads it whole and bounded, parses it strictly, and puts an edited one in its place by rename.
// Keeps the original text, so that a create that fails later leaves the bundle as it was.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "hook/os/result.h"

namespace execseal {

// The hook reads with the same bound.
inline constexpr std::size_t kSpecLimit = std::size_t{16} << 20U;

class SpecFile {
  public:
    // `path` is taken as it is; symlinks are followed once, here.
    static Result<SpecFile> open(const std::string& path);

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] Result<nlohmann::ordered_json> parse() const;

    // Nothing is written when `spec` is what the file says already.
    Result<> write(const nlohmann::ordered_json& spec);
    // Puts the original text back if write() replaced it.
    Result<> restore();

  private:
    std::string path_;
    std::string original_;
    bool replaced_ = false;
};

}  // namespace execseal
