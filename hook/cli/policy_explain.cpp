#include "hook/cli/policy_explain.h"

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/condition_facts.h"
#include "hook/cli/explain.h"
#include "hook/cli/policy_check.h"
#include "hook/cli/rootfs_program.h"
#include "hook/gate/json_line.h"
#include "hook/os/visible.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

// Those that are given are all; without any it is known of the first program alone.
Lineage lineage_of(const ExplainOptions& options) {
    Lineage lineage;
    if (!options.above.empty() || options.via != Via::kChild) {
        lineage = Lineage::start();
    }
    for (auto exe = options.above.rbegin(); exe != options.above.rend(); ++exe) {
        lineage = below({*exe, {}, true}, std::move(lineage));
        ++lineage.depth;
    }
    return lineage;
}

Result<ExecFacts> facts_of(const ExplainOptions& options) {
    ExecFacts facts;
    facts.env = options.env;
    facts.cwd = options.cwd;
    facts.uid = options.uid;
    facts.gid = options.gid;
    facts.via = options.via;
    facts.lineage = lineage_of(options);
    facts.requested_path = options.command.front();
    if (options.rootfs.empty()) {
        std::vector<std::string> argv = options.command;
        facts.views.push_back({ViewRole::kProgram, options.command.front(), std::move(argv)});
        return facts;
    }
    auto found = resolve_in_rootfs(options.rootfs, options.cwd, options.command, options.env);
    if (!found) {
        return found.error();
    }
    facts.views = std::move(found->views);
    facts.cwd = std::move(found->cwd);
    facts.cwd_names = std::move(found->cwd_names);
    return facts;
}

void print_table(const ExplainOptions& options, const ExecFacts& facts, bool asks_lineage,
                 const std::vector<Explanation>& explanations, const Judgement& judgement) {
    std::string text = "exec      " + facts_text(facts);
    if (options.rootfs.empty()) {
        text += "names     only " + shell_word(facts.views.front().exe) +
                ", as if it were no link, script, loader or busybox; --rootfs DIR looks\n";
    }
    if (asks_lineage && !facts.lineage.whole) {
        text +=
            "above     not known, which rules that refuse take for a match; --parent PROGRAM "
            "tells\n";
    }
    for (std::size_t i = 0; i < explanations.size(); ++i) {
        std::string block = explanation_text(explanations[i], facts);
        if (i > 0) {
            block.replace(0, 6, "floor ");
        }
        text += block;
    }
    text += "verdict   " + verdict_text(judgement) + ", " + judgement.policy + ": " +
            printable(judgement.reason) + "\n";
    (void)std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_json(const ExecFacts& facts, const std::vector<Explanation>& explanations,
                const Judgement& judgement) {
    auto programs = ordered_json::array();
    for (const ProgramView& view : facts.views) {
        auto argv = ordered_json::array();
        for (const std::string& argument : view.argv) {
            argv.push_back(bytes_to_json(argument));
        }
        ordered_json program{{"exe", bytes_to_json(view.exe)}, {"argv", std::move(argv)}};
        for (const std::string& name : view.names) {
            program["names"].push_back(bytes_to_json(name));
        }
        if (!view.loose_link.empty()) {
            program["loose_link"] = bytes_to_json(view.loose_link);
        }
        programs.push_back(std::move(program));
    }
    auto policies = ordered_json::array();
    for (const Explanation& explanation : explanations) {
        policies.push_back(explanation_json(explanation, facts));
    }
    ordered_json json{
        {"programs", std::move(programs)},          {"via", via_name(facts.via)},
        {"policies", std::move(policies)},          {"verdict", verdict_name(judgement.verdict)},
        {"decided_by", judgement.policy},           {"rule", judgement.rule},
        {"reason", bytes_to_json(judgement.reason)}};
    auto above = ordered_json::array();
    for (const LineageNode* node = facts.lineage.nearest.get(); node != nullptr;
         node = node->above.get()) {
        above.push_back(bytes_to_json(node->program->exe));
    }
    json["above"] = std::move(above);
    json["depth"] = facts.lineage.depth;
    json["above_unknown"] = !facts.lineage.whole;
    if (judgement.softened) {
        json["would_be"] = verdict_name(*judgement.softened);
    }
    (void)std::printf("%s\n", visible_json(json.dump(2)).c_str());
}

}  // namespace

std::string policy_path(const std::string& word, const Settings& settings) {
    constexpr std::string_view kSuffix = ".json";
    if (word.find('/') != std::string::npos) {
        return word;
    }
    if (!word.ends_with(kSuffix)) {
        return policy_file(word, settings);
    }
    std::error_code code;
    const std::string in_node = settings.policies_dir + "/" + word;
    const bool only_there =
        !std::filesystem::exists(word, code) && std::filesystem::exists(in_node, code);
    return only_there ? in_node : word;
}

Result<int> run_policy_explain(const ExplainOptions& options) {
    const auto settings = load_settings(options.settings);
    if (!settings) {
        return settings.error();
    }
    const auto policy = load_policy(policy_path(options.policy, *settings), *settings);
    if (!policy) {
        return policy.error();
    }
    const auto loaded = load_floor(*settings);
    if (!loaded) {
        return loaded.error();
    }
    const std::optional<Policy>& floor = *loaded;
    const auto facts = facts_of(options);
    if (!facts) {
        return facts.error();
    }
    std::vector<Explanation> explanations{explain(*policy, *facts)};
    if (floor) {
        explanations.push_back(explain(*floor, *facts));
    }
    const Judgement judgement = judge_with_floor(*policy, floor ? &*floor : nullptr, *facts,
                                                 options.mode.value_or(settings->mode));
    if (options.format == Format::kJson) {
        print_json(*facts, explanations, judgement);
    } else {
        const bool asks_lineage = policy->sees_lineage() || (floor && floor->sees_lineage());
        print_table(options, *facts, asks_lineage, explanations, judgement);
    }
    return judgement.verdict == Verdict::kAllow || judgement.verdict == Verdict::kAudit ? 0 : 1;
}

}  // namespace execseal
