// CompiledPolicy: what a policy file becomes, the judge's form of it.
//
// Made by Policy::parse, immutable afterwards. Includers other than the loader, the judge and
// `execseal policy` want config/policy.h instead.
#pragma once

#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "config/condition.h"
#include "config/glob.h"
#include "config/json_reader.h"
#include "config/policy.h"
#include "config/rule_index.h"

namespace execseal {

struct CompiledRule {
    std::string id;
    std::string description;
    Verdict verdict = Verdict::kDeny;
    int deny_errno = EACCES;
    Conditions conditions;  // all must hold on one view
    std::vector<Glob> exe;  // of its exe condition, for the index
};

struct CompiledPolicy {
    std::string name;
    std::string description;
    Verdict default_verdict = Verdict::kDeny;
    int default_errno = EACCES;
    Protection protection;
    Binding binding = Binding::kArguments;
    bool sees_lineage = false;
    std::vector<CompiledRule> rules;
    RuleIndex index;
};

// The "rules" of a policy; `default_errno` is for the denials that name none.
std::vector<CompiledRule> read_rules(const JsonNode& node, int default_errno);

// A verdict, and an errno by name or number (one that has a name).
Verdict read_verdict(const JsonNode& node);
int read_errno(const JsonNode& node);

Leaning leaning_of(Verdict verdict);

// Globs over the names of the variables that its rules look at, each once.
std::vector<std::string> env_names(const Policy& policy);

// The view on which the rule matches: a lenient rule must match all of views_to_match() (the first
// is told), a strict one matches any program that the exec would run.
std::optional<std::size_t> matching_view(const CompiledRule& rule, const ExecFacts& facts);
// The program itself, and whatever may run in its place. There must be a program.
std::vector<std::size_t> views_to_match(const ExecFacts& facts);

}  // namespace execseal
