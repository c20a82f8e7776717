#include "hook/cli/explain.h"

#include <nlohmann/json.hpp>

#include "config/built_in_rules.h"
#include "config/condition_facts.h"
#include "config/condition_lineage.h"
#include "config/errno_names.h"
#include "config/policy_rules.h"
#include "hook/cli/table.h"
#include "hook/gate/json_line.h"
#include "hook/os/check.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

const char* role_name(ViewRole role) {
    switch (role) {
        case ViewRole::kProgram:
            return "program";
        case ViewRole::kInterpreter:
            return "interpreter";
        case ViewRole::kLoader:
            return "loader";
        case ViewRole::kMultiCall:
            return "multi-call binary";
        case ViewRole::kPossible:
            return "possibly";
        case ViewRole::kElfInterpreter:
            return "PT_INTERP";
    }
    return "program";
}

FailedCondition first_failure(const CompiledRule& rule, std::size_t at, const ExecFacts& facts) {
    const ProgramView& view = facts.views[at];
    for (const auto& condition : rule.conditions) {
        if (!condition->holds(view, facts)) {
            return {at, condition->text(), condition->found(view, facts)};
        }
    }
    return {at, "", ""};
}

void ask_all(RuleTrail& trail, const CompiledRule& rule, std::size_t at, const ExecFacts& facts) {
    const ProgramView& view = facts.views[at];
    for (const auto& condition : rule.conditions) {
        const bool holds = condition->holds(view, facts);
        trail.asked.push_back({at, holds,
                               holds ? condition->reason(view, facts) : condition->text(),
                               condition->found(view, facts)});
    }
}

RuleTrail trail_of(const CompiledRule& rule, const ExecFacts& facts) {
    RuleTrail trail{rule.id, rule.description, rule.verdict, false, {}, {}, {}};
    if (const auto at = matching_view(rule, facts)) {
        trail.matches = true;
        ask_all(trail, rule, *at, facts);
        for (const auto& condition : rule.conditions) {
            trail.held.push_back(condition->reason(facts.views[*at], facts));
        }
        return trail;
    }
    // What lets pass must fit the program and all that may run in its place; what refuses may fit
    // any program of the exec.
    const bool lenient = leaning_of(rule.verdict) == Leaning::kLenient;
    for (std::size_t at = 0; at < facts.views.size(); ++at) {
        FailedCondition failure = first_failure(rule, at, facts);
        const bool asked = !lenient || ((at == 0 || may_replace_program(facts.views[at].role)) &&
                                        !failure.wanted.empty());
        if (asked) {
            trail.failed.push_back(std::move(failure));
            ask_all(trail, rule, at, facts);
        }
    }
    return trail;
}

std::string failure_text(const FailedCondition& failed, const ExecFacts& facts) {
    std::string text = "wants " + failed.wanted + "; " + failed.found;
    if (facts.views.size() > 1) {
        text += std::string(" (") + role_name(facts.views[failed.view].role) + ")";
    }
    return text;
}

std::vector<Cells> rule_rows(const RuleTrail& rule, const ExecFacts& facts) {
    const Cells head{rule.matches ? "  *" : "   ", rule.id, verdict_name(rule.verdict)};
    std::vector<Cells> rows;
    const auto add = [&](const std::string& text) {
        Cells row = rows.empty() ? head : Cells{"", "", ""};
        row.push_back(printable(text));
        rows.push_back(std::move(row));
    };
    for (const std::string& held : rule.held) {
        add("matches: " + held);
    }
    for (const FailedCondition& failed : rule.failed) {
        add(failure_text(failed, facts));
    }
    return rows;
}

}  // namespace

Explanation explain(const Policy& policy, const ExecFacts& facts) {
    Explanation explanation;
    explanation.policy = policy.name();
    explanation.judgement = judge(policy, facts);
    std::string decided = built_in_rule::kDefault;
    for (const CompiledRule& rule : policy.compiled().rules) {
        explanation.rules.push_back(trail_of(rule, facts));
        if (explanation.rules.back().matches) {
            decided = rule.id;
            break;
        }
    }
    CHECK(decided == explanation.judgement.rule);  // the judge's index leaves out no rule
    return explanation;
}

std::string verdict_text(const Judgement& judgement) {
    std::string text = verdict_name(judgement.verdict);
    if (judgement.verdict == Verdict::kDeny) {
        text += " (" + errno_name(judgement.deny_errno) + ")";
    }
    return text;
}

namespace {

std::string names_text(const ProgramView& view) {
    std::string text;
    for (const std::string& name : view.names) {
        text += (text.empty() ? "            also " : ", ") + shell_word(name);
    }
    if (!view.loose_link.empty()) {
        text += (text.empty() ? "            " : "; ") + std::string("the link ") +
                shell_word(view.loose_link) + " can be changed by others than root";
    }
    return text.empty() ? text : text + "\n";
}

}  // namespace

std::string facts_text(const ExecFacts& facts) {
    std::string text = command_text(facts.views.front().exe, facts.views.front().argv) + ", via " +
                       via_name(facts.via) + ", uid " + std::to_string(facts.uid) + ", gid " +
                       std::to_string(facts.gid) + ", cwd " + shell_word(facts.cwd) + "\n" +
                       names_text(facts.views.front());
    for (std::size_t i = 1; i < facts.views.size(); ++i) {
        const ProgramView& view = facts.views[i];
        text += std::string("          ") + role_name(view.role) + " " +
                command_text(view.exe, view.argv) + "\n" + names_text(view);
    }
    if (facts.lineage.nearest) {
        text += "          below " + printable(lineage_text(facts.lineage)) + ", depth " +
                std::to_string(facts.lineage.depth) + "\n";
    }
    return text;
}

std::string explanation_text(const Explanation& explanation, const ExecFacts& facts) {
    std::vector<Cells> rows;
    for (const RuleTrail& rule : explanation.rules) {
        for (Cells& row : rule_rows(rule, facts)) {
            rows.push_back(std::move(row));
        }
    }
    if (explanation.judgement.rule == built_in_rule::kDefault) {
        rows.push_back({"  *", built_in_rule::kDefault, verdict_name(explanation.judgement.verdict),
                        "no rule matches"});
    }
    return "policy    " + explanation.policy + "\n" +
           table_text({"", "RULE", "VERDICT", "WHY"}, rows);
}

namespace {

std::string asked_text(const AskedCondition& asked, const ExecFacts& facts) {
    std::string text =
        asked.holds ? "holds  " + asked.wanted : "fails  " + asked.wanted + ", but " + asked.found;
    if (facts.views.size() > 1) {
        text += std::string(" (") + role_name(facts.views[asked.view].role) + ")";
    }
    return printable(text);
}

}  // namespace

std::string explanation_tree(const Explanation& explanation, const ExecFacts& facts) {
    const bool by_default = explanation.judgement.rule == built_in_rule::kDefault;
    std::string text = "rules     " + explanation.policy + "\n";
    for (std::size_t i = 0; i < explanation.rules.size(); ++i) {
        const RuleTrail& rule = explanation.rules[i];
        const bool last = i + 1 == explanation.rules.size() && !by_default;
        text += std::string("          ") + (last ? "`- " : "|- ") + rule.id + " (" +
                verdict_name(rule.verdict) +
                "): " + (rule.matches ? "matches, and decides" : "does not match") + "\n";
        for (const AskedCondition& asked : rule.asked) {
            text += std::string("          ") + (last ? "     " : "|    ") +
                    asked_text(asked, facts) + "\n";
        }
    }
    return by_default
               ? text + "          `- default (" + verdict_name(explanation.judgement.verdict) +
                     "): no rule matches, so it decides\n"
               : text;
}

ordered_json explanation_json(const Explanation& explanation, const ExecFacts& facts) {
    auto rules = ordered_json::array();
    for (const RuleTrail& rule : explanation.rules) {
        ordered_json entry{
            {"id", rule.id}, {"verdict", verdict_name(rule.verdict)}, {"matches", rule.matches}};
        for (const std::string& held : rule.held) {
            entry["conditions"].push_back(bytes_to_json(held));
        }
        for (const AskedCondition& asked : rule.asked) {
            entry["asked"].push_back({{"program", bytes_to_json(facts.views[asked.view].exe)},
                                      {"wanted", bytes_to_json(asked.wanted)},
                                      {"found", bytes_to_json(asked.found)},
                                      {"holds", asked.holds}});
        }
        for (const FailedCondition& failed : rule.failed) {
            entry["failed"].push_back({{"program", bytes_to_json(facts.views[failed.view].exe)},
                                       {"wanted", bytes_to_json(failed.wanted)},
                                       {"found", bytes_to_json(failed.found)}});
        }
        rules.push_back(std::move(entry));
    }
    const Judgement& judgement = explanation.judgement;
    ordered_json json{{"policy", explanation.policy},
                      {"rules", std::move(rules)},
                      {"verdict", verdict_name(judgement.verdict)},
                      {"rule", judgement.rule},
                      {"reason", bytes_to_json(judgement.reason)}};
    if (judgement.verdict == Verdict::kDeny) {
        json["errno"] = errno_name(judgement.deny_errno);
    }
    return json;
}

}  // namespace execseal
