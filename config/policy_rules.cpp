#include "config/policy_rules.h"

#include <algorithm>
#include <unordered_set>

#include "config/built_in_rules.h"
#include "config/condition_argv.h"
#include "config/condition_env.h"
#include "config/condition_facts.h"
#include "config/condition_lineage.h"
#include "config/errno_names.h"
#include "config/quote.h"

namespace execseal {
namespace {

ProgramHint hint_of(const std::vector<Glob>& exe) {
    ProgramHint hint;
    for (const Glob& glob : exe) {
        hint.known = true;
        if (glob.is_literal()) {
            hint.names.push_back(glob.literal().substr(glob.literal().rfind('/') + 1));
        } else if (const std::string& pattern = glob.pattern();
                   pattern.substr(pattern.rfind('/') + 1).find_first_of("*?[\\") ==
                   std::string::npos) {
            hint.names.push_back(pattern.substr(pattern.rfind('/') + 1));  // "**/git"
        }
    }
    return hint;
}

// All but exe, and the negation, whose own exe is about the same program as the rule's.
void read_conditions(const JsonObject& object, Leaning leaning, const ProgramHint& program,
                     Conditions& conditions) {
    if (const auto uid = object.get("uid")) {
        read_id_condition(*uid, IdKind::kUid, conditions);
    }
    if (const auto gid = object.get("gid")) {
        read_id_condition(*gid, IdKind::kGid, conditions);
    }
    if (const auto via = object.get("via")) {
        read_via_condition(*via, conditions);
    }
    if (const auto cwd = object.get("cwd")) {
        read_cwd_condition(*cwd, leaning, conditions);
    }
    if (const auto argv = object.get("argv")) {
        read_argv_conditions(*argv, leaning, program, conditions);
    }
    if (const auto env = object.get("env")) {
        read_env_conditions(*env, leaning, conditions);
    }
    if (const auto names = object.get("env_names")) {
        read_env_names_condition(*names, leaning, conditions);
    }
    if (const auto parent = object.get("parent")) {
        read_parent_condition(*parent, leaning, conditions);
    }
    if (const auto ancestor = object.get("ancestor")) {
        read_ancestor_condition(*ancestor, leaning, conditions);
    }
    if (const auto depth = object.get("depth")) {
        read_depth_condition(*depth, leaning, conditions);
    }
}

std::unique_ptr<const Condition> read_negation(const JsonNode& node, Leaning leaning,
                                               const ProgramHint& program) {
    const JsonObject object = node.object({"exe", "argv", "env", "env_names", "uid", "gid", "cwd",
                                           "via", "parent", "ancestor", "depth"});
    Conditions conditions;
    ProgramHint hint = program;
    if (const auto exe = object.get("exe")) {
        hint = hint_of(read_exe_condition(*exe, opposite(leaning), conditions));
    }
    read_conditions(object, opposite(leaning), hint, conditions);
    if (conditions.empty()) {
        node.expected("an object with at least one condition");
    }
    return negation(std::move(conditions));
}

CompiledRule read_rule(const JsonNode& node, int default_errno) {
    CompiledRule rule;
    const JsonObject object =
        node.object({"id", "description", "verdict", "errno", "exe", "argv", "env", "env_names",
                     "uid", "gid", "cwd", "via", "parent", "ancestor", "depth", "not"});
    if (const auto id = object.require("id")) {
        rule.id = id->non_empty_string("a name of letters, digits, \".\", \"_\" and \"-\"");
        if (!is_policy_name(rule.id)) {
            id->expected("a name of letters, digits, \".\", \"_\" and \"-\"");
        } else if (std::find(built_in_rule::kAll.begin(), built_in_rule::kAll.end(), rule.id) !=
                   built_in_rule::kAll.end()) {
            id->expected("a name that events do not give to a decision without a rule");
        }
    }
    if (const auto description = object.get("description")) {
        rule.description = description->string();
    }
    if (const auto verdict = object.require("verdict")) {
        rule.verdict = read_verdict(*verdict);
    }
    rule.deny_errno = default_errno;
    if (const auto number = object.get("errno")) {
        rule.deny_errno = read_errno(*number);
        if (rule.verdict != Verdict::kDeny) {
            number->problem("expected errno in deny rules only");
        }
    }
    const Leaning leaning = leaning_of(rule.verdict);
    if (const auto exe = object.get("exe")) {
        rule.exe = read_exe_condition(*exe, leaning, rule.conditions);
    }
    const ProgramHint program = hint_of(rule.exe);
    read_conditions(object, leaning, program, rule.conditions);
    if (const auto negated = object.get("not")) {
        rule.conditions.push_back(read_negation(*negated, leaning, program));
    }
    if (rule.conditions.empty()) {
        node.problem(
            "expected at least one condition (exe, argv, env, env_names, uid, gid, cwd, via, "
            "parent, ancestor, depth or not); \"default\" is for everything else");
    }
    return rule;
}

}  // namespace

Verdict read_verdict(const JsonNode& node) {
    static constexpr Verdict kVerdicts[] = {Verdict::kAllow, Verdict::kDeny, Verdict::kKill,
                                            Verdict::kAudit};
    return kVerdicts[node.choice({"allow", "deny", "kill", "audit"})];
}

int read_errno(const JsonNode& node) {
    static constexpr std::string_view kErrno =
        "an errno's name or number, as \"EACCES\", \"EPERM\" or 13";
    if (node.kind() == JsonNode::Kind::kNumber) {
        const auto number = static_cast<int>(node.integer(1, 4095));
        if (!errno_has_name(number)) {
            node.expected(kErrno);
        }
        return number;
    }
    const auto number = errno_by_name(node.string(kErrno));
    if (!number) {
        node.expected(kErrno);
    }
    return number.value_or(EACCES);
}

Leaning leaning_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::kDeny:
        case Verdict::kKill:
            return Leaning::kStrict;
        case Verdict::kAudit:
        case Verdict::kAllow:
            return Leaning::kLenient;
    }
    return Leaning::kStrict;
}

std::vector<CompiledRule> read_rules(const JsonNode& node, int default_errno) {
    std::vector<CompiledRule> rules;
    std::unordered_set<std::string> ids;
    for (const JsonNode& item : node.items("an array of rules")) {
        CompiledRule rule = read_rule(item, default_errno);
        if (!ids.insert(rule.id).second) {
            item.problem("expected an id of its own, " + quoted(rule.id) + " is an earlier rule's");
        }
        rules.push_back(std::move(rule));
    }
    return rules;
}

std::optional<std::size_t> matching_view(const CompiledRule& rule, const ExecFacts& facts) {
    const auto matches = [&](const ProgramView& view) {
        return std::all_of(rule.conditions.begin(), rule.conditions.end(),
                           [&](const auto& condition) { return condition->holds(view, facts); });
    };
    if (leaning_of(rule.verdict) == Leaning::kLenient) {
        const std::vector<std::size_t> asked = views_to_match(facts);
        const bool all = std::all_of(asked.begin(), asked.end(),
                                     [&](std::size_t at) { return matches(facts.views[at]); });
        return all ? std::optional<std::size_t>(0) : std::nullopt;
    }
    const auto found = std::find_if(facts.views.begin(), facts.views.end(), matches);
    return found == facts.views.end()
               ? std::nullopt
               : std::optional(static_cast<std::size_t>(found - facts.views.begin()));
}

std::vector<std::size_t> views_to_match(const ExecFacts& facts) {
    std::vector<std::size_t> views{0};
    for (std::size_t at = 1; at < facts.views.size(); ++at) {
        if (may_replace_program(facts.views[at].role)) {
            views.push_back(at);
        }
    }
    return views;
}

}  // namespace execseal
