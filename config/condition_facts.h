// What a rule asks of everything but the arguments and the environment.
//
// clang-format off
//   exe       a glob, or a list of which one must match, over the program's resolved path in the
//             container ("memfd:NAME" for a memfd, "PATH (deleted)" for an unlinked file). In a
//             rule that lets pass, wildcards do not stand for memfds and unlinked files.
//   cwd       the same over the working directory
//   uid, gid  a number, {"min": n, "max": n}, or a list of these; the effective id
//   via       "entrypoint", "exec" or "child", or a list of these
// clang-format on
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/condition.h"
#include "config/glob.h"
#include "config/json_reader.h"

namespace execseal {

// The globs are given back, for the index and the checks of argv.
std::vector<Glob> read_exe_condition(const JsonNode& node, Leaning leaning, Conditions& conditions);
void read_cwd_condition(const JsonNode& node, Leaning leaning, Conditions& conditions);
enum class IdKind { kUid, kGid };
void read_id_condition(const JsonNode& node, IdKind kind, Conditions& conditions);
void read_via_condition(const JsonNode& node, Conditions& conditions);

// The globs of an exe condition, for others over names of programs: as a person would say them, and
// whether one means this name. ** and * mean the files that can be seen there: where a match lets
// pass, they do not stand for what has no path in the container ("memfd:x", "unreachable:/x") or no
// longer has one: such a rule must spell it.
std::vector<Glob> read_exe_globs(const JsonNode& node);
std::string globs_text(const std::vector<Glob>& globs);
bool names_program(const Glob& glob, const std::string& path, Leaning leaning);

struct NumberRange {
    std::int64_t least;
    std::int64_t most;
};
// A number, {"min": n, "max": n}, or a non-empty array of these. `one`, `many`: "an id", "ids", for
// errors.
std::vector<NumberRange> read_ranges(const JsonNode& node, const std::string& one,
                                     const std::string& many);
std::string ranges_text(const std::vector<NumberRange>& ranges);

// Holds if one of `conditions` does not.
std::unique_ptr<const Condition> negation(Conditions conditions);

const char* via_name(Via via);
// Whose via_name() it is.
std::optional<Via> via_named(std::string_view name);

}  // namespace execseal
