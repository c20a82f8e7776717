#include "hook/cli/policy_changes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "config/built_in_rules.h"
#include "config/condition_facts.h"
#include "hook/cli/parallel.h"
#include "hook/cli/table.h"
#include "hook/gate/json_line.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

constexpr const char* kUnknown = "?";

// Decided by the kernel or by what could not be read, whatever the policy.
bool is_without_policy(const RecordedExec& exec) {
    const auto& rules = built_in_rule::kAll;
    return exec.rule != built_in_rule::kDefault &&
           std::find(rules.begin(), rules.end(), exec.rule) != rules.end();
}

bool runs(std::string_view verdict) {
    return verdict == "allow" || verdict == "audit";
}

std::string with_commas(std::uint64_t number) {
    std::string digits = std::to_string(number);
    static constexpr std::size_t kGroup = 3;
    for (std::size_t i = digits.size(); i > kGroup; i -= kGroup) {
        digits.insert(i - kGroup, ",");
    }
    return digits;
}

std::string example_text(const PolicyChanges::Change& change) {
    const ExecFacts& facts = *change.example.facts;
    return command_text(facts.views.front().exe, facts.views.front().argv) + ", via " +
           via_name(facts.via) + ", uid " + std::to_string(facts.uid) + "   # " +
           printable(change.reason);
}

}  // namespace

void PolicyChanges::take(const RecordedExec& exec, std::size_t group) {
    if (group == 0) {
        count(exec, answer_to(exec));
        return;
    }
    answers_.resize(std::max(answers_.size(), group + 1));
    auto& known = answers_[group];
    if (!known) {
        known = answer_to(exec);
    }
    count(exec, *known);
}

void PolicyChanges::take_batch(std::span<const RecordedExec* const> execs) {
    std::vector<Answer> answers(execs.size());
    in_parallel(execs.size(), [&](std::size_t i) { answers[i] = answer_to(*execs[i]); });
    for (std::size_t i = 0; i < execs.size(); ++i) {
        count(*execs[i], answers[i]);
    }
}

PolicyChanges::Answer PolicyChanges::answer_to(const RecordedExec& exec) const {
    Answer answer;
    if (!exec.facts || is_without_policy(exec)) {
        return answer;
    }
    const RecordedJudgement now = judge_.judge(exec);
    if (!now.lacking.empty()) {
        const std::string rule = now.lacking.substr(0, now.lacking.find(": "));
        return {What::kUnknown,
                {exec.verdict, kUnknown, rule.substr(rule.find(' ') + 1)},
                now.lacking,
                exec.rule};
    }
    const std::string after = verdict_name(now.judgement.verdict);
    std::string before = exec.verdict;
    std::string old_rule = exec.rule;
    // Where the mode let pass what the policy refused, it ran.
    bool softened = !exec.would_be.empty();
    if (other_ != nullptr) {
        const RecordedJudgement then = other_->judge(exec);
        if (!then.lacking.empty()) {
            return {What::kUnknown, {kUnknown, after, now.judgement.rule}, then.lacking, exec.rule};
        }
        before = verdict_name(then.judgement.verdict);
        old_rule = then.judgement.rule;
        softened = false;
    }
    answer.what = before == after || (softened && runs(after)) ? What::kSame : What::kChanged;
    answer.kind = {before, after, now.judgement.rule};
    answer.reason = now.judgement.reason;
    answer.old_rule = old_rule;
    return answer;
}

void PolicyChanges::count(const RecordedExec& exec, const Answer& answer) {
    if (answer.what == What::kNotJudged) {
        ++not_judged_[exec.rule.empty() ? "(none)" : exec.rule];
        return;
    }
    ++judged_;
    if (answer.what == What::kSame) {
        return;
    }
    ++(answer.what == What::kUnknown ? unknown_ : changed_);
    Change& change = changes_[answer.kind];
    if (change.count++ == 0) {
        change.reason = answer.reason;
        change.old_rule = answer.old_rule;
        change.example = exec;
    }
}

std::string changes_text(const PolicyChanges& changes, std::size_t columns) {
    std::string text =
        with_commas(changes.judged()) + " execs judged again: " + with_commas(changes.changed()) +
        " are decided otherwise, " + with_commas(changes.unknown()) + " cannot be told\n";
    std::string left_out;
    for (const auto& [rule, count] : changes.not_judged()) {
        left_out += (left_out.empty() ? "" : ", ") + with_commas(count) + " " + printable(rule);
    }
    if (!left_out.empty()) {
        text += "not judged, no policy decides them: " + left_out + "\n";
    }
    std::vector<std::pair<const PolicyChanges::Kind*, const PolicyChanges::Change*>> sorted;
    for (const auto& [kind, change] : changes.changes()) {
        sorted.emplace_back(&kind, &change);
    }
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
        return a.second->count > b.second->count;
    });
    std::vector<Cells> rows;
    for (const auto& [kind, change] : sorted) {
        rows.push_back({kind->before + " -> " + kind->after, printable(kind->rule),
                        printable(change->old_rule), with_commas(change->count),
                        example_text(*change)});
    }
    return rows.empty()
               ? text
               : text + fitted(table_text({"CHANGE", "RULE", "BEFORE", "COUNT", "EXAMPLE"}, rows),
                               columns);
}

ordered_json changes_json(const PolicyChanges& changes) {
    auto list = ordered_json::array();
    for (const auto& [kind, change] : changes.changes()) {
        const RecordedExec& exec = change.example;
        auto argv = ordered_json::array();
        for (const std::string& argument : exec.facts->views.front().argv) {
            argv.push_back(bytes_to_json(argument));
        }
        ordered_json example{{"time", exec.time},
                             {"container", bytes_to_json(exec.container_id)},
                             {"exe", bytes_to_json(exec.facts->views.front().exe)},
                             {"argv", std::move(argv)},
                             {"via", via_name(exec.facts->via)}};
        if (!exec.id.empty()) {
            example["id"] = exec.id;
        }
        list.push_back({{"before", kind.before},
                        {"after", kind.after},
                        {"rule", bytes_to_json(kind.rule)},
                        {"rule_before", bytes_to_json(change.old_rule)},
                        {"count", change.count},
                        {"reason", bytes_to_json(change.reason)},
                        {"example", std::move(example)}});
    }
    ordered_json not_judged = ordered_json::object();
    for (const auto& [rule, count] : changes.not_judged()) {
        not_judged[rule] = count;
    }
    return {{"judged", changes.judged()},
            {"changed", changes.changed()},
            {"unknown", changes.unknown()},
            {"not_judged", std::move(not_judged)},
            {"changes", std::move(list)}};
}

}  // namespace execseal
