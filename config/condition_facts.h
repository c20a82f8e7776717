// What a rule asks of everything but the arguments.
//
//   exe   a glob, or a list of which one must match, over the program's resolved path in the
//   container
//         ("memfd:NAME" for a memfd, "PATH (deleted)" for an unlinked file)
//         In a rule that lets pass, wildcards do not stand for memfds and unlinked files.
//   cwd   the same over the working directory
//   env   {"NAME": pattern | true | null}: a variable has such a value | is there | is not there;
//   NAME
//         may have * in it ("LD_*")
//   env_names  a list of names (* allowed): every variable's is one of these
//   uid, gid   a number, {"min": n, "max": n}, or a list of these; the effective id
//   via   "entrypoint", "exec" or "child", or a list of these
#pragma once

#include <vector>

#include "config/condition.h"
#include "config/glob.h"
#include "config/json_reader.h"

namespace execseal {

// The globs are given back, for the index and the checks of argv.
std::vector<Glob> read_exe_condition(const JsonNode& node, Leaning leaning, Conditions& conditions);
void read_cwd_condition(const JsonNode& node, Leaning leaning, Conditions& conditions);
void read_env_conditions(const JsonNode& node, Leaning leaning, Conditions& conditions);
void read_env_names_condition(const JsonNode& node, Leaning leaning, Conditions& conditions);
enum class IdKind { kUid, kGid };
void read_id_condition(const JsonNode& node, IdKind kind, Conditions& conditions);
void read_via_condition(const JsonNode& node, Conditions& conditions);

// Holds if one of `conditions` does not.
std::unique_ptr<const Condition> negation(Conditions conditions);

const char* via_name(Via via);

}  // namespace execseal
