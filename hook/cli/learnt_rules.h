// learnt_rules: observations -> the rules of a policy that lets them pass, for a person to read.
//
// A rule for each program and way (via), and for each subcommand of the programs that have any.
// Few forms of arguments are told one by one ("exact"); many become what they have in common: how
// they begin, which words, flags and patterns there may be, how many. What was seen once in a long
// recording gets rules of its own that mark it (audit), at the end. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "hook/cli/argument_shape.h"
#include "hook/cli/observed.h"

namespace execseal {

struct LearntRule {
    nlohmann::ordered_json json;
    std::string group;  // program and way, for LearnOptions::narrower
    bool rare = false;
    std::uint64_t count = 0;
};

struct LearnOptions {
    Width width = Width::kDefault;
    std::map<std::string, Width> narrower;  // groups that are to be so
    std::set<std::string> taken_ids;        // of rules that are there already
};

std::vector<LearntRule> learn_rules(const std::vector<const ObservedExec*>& execs,
                                    const Observations& observations, const LearnOptions& options);

// The group of an exec.
std::string group_of(const RecordedExec& exec);

// A glob that matches these bytes only; where they are not UTF-8, any byte stands for each that is
// not ASCII, since a policy is text.
std::string quoted_glob(std::string_view bytes);

// What the arguments of all execs show of the names of data.
DataNames data_names_of(const std::vector<const ObservedExec*>& execs);

}  // namespace execseal
