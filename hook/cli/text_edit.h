// Edits of other programs' configuration files as text, so that comments and form of the rest stay.
//
// Pure. Each edit has an exact reverse.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hook/os/result.h"

namespace execseal {

// `text` with `block` at its end, between two marker lines (# is a comment in TOML); one that is
// there already is replaced in its place.
std::string with_block(std::string_view text, std::string_view block);
// Without that block; `text` itself if there is none. An Error if only one marker is left.
Result<std::string> without_block(std::string_view text);

// daemon.json with the runtimes of `addition` in it, and without. Written anew with the
// indentation it had; `text` itself where nothing is to be done. JSON has no comments to lose.
Result<std::string> with_docker_runtimes(std::string_view text, std::string_view addition);
Result<std::string> without_docker_runtimes(std::string_view text, std::string_view addition);

// Unified diff of one file; empty when equal. nullopt: no such file, before or after.
std::string unified_diff(const std::string& path, const std::optional<std::string>& before,
                         const std::optional<std::string>& after);

}  // namespace execseal
