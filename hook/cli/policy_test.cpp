#include "hook/cli/policy_test.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "hook/cli/policy_changes.h"
#include "hook/cli/policy_check.h"
#include "hook/cli/policy_explain.h"
#include "hook/cli/progress.h"

namespace execseal {

Result<int> run_policy_test(const TestCommand& command) {
    const auto settings = load_settings(command.query.settings);
    if (!settings) {
        return settings.error();
    }
    const auto policy = load_policy(policy_path(command.policy, *settings), *settings);
    if (!policy) {
        return policy.error();
    }
    const auto floor = load_floor(*settings);
    if (!floor) {
        return floor.error();
    }
    const Policy* const lowest = *floor ? &**floor : nullptr;
    const RecordedJudge judge(*policy, lowest);
    std::optional<Policy> with;
    std::optional<RecordedJudge> other;
    if (!command.with.empty()) {
        auto loaded = load_policy(policy_path(command.with, *settings), *settings);
        if (!loaded) {
            return loaded.error();
        }
        with = std::move(*loaded);
        other.emplace(*with, lowest);
    }
    PolicyChanges changes(judge, other ? &*other : nullptr);
    const auto counts = read_grouped(
        command.query,
        [&](const RecordedExec& exec, std::size_t group) { changes.take(exec, group); },
        [&](std::span<const RecordedExec* const> execs) { changes.take_batch(execs); });
    if (!counts) {
        return counts.error();
    }
    if (command.format == Format::kJson) {
        nlohmann::ordered_json json = changes_json(changes);
        json["foreign_lines"] = counts->foreign;
        json["summed_up"] = counts->summed_up;
        (void)std::printf("%s\n", json.dump(2).c_str());
    } else {
        const std::string text = changes_text(changes, terminal_width());
        (void)std::fwrite(text.data(), 1, text.size(), stdout);
    }
    if (counts->summed_up > 0) {
        (void)std::fprintf(stderr,
                           "execseal: %llu execs are only counted in the record (summaries); an "
                           "example of each kind was judged\n",
                           static_cast<unsigned long long>(counts->summed_up));
    }
    if (counts->foreign > 0) {
        (void)std::fprintf(stderr, "execseal: %llu lines are no events\n",
                           static_cast<unsigned long long>(counts->foreign));
    }
    if (counts->execs == 0) {
        return make_error("no exec to judge: " +
                          std::string("the record has none that is asked for"));
    }
    const bool same = changes.changed() == 0 && changes.unknown() == 0 && counts->foreign == 0;
    return same ? 0 : 1;
}

}  // namespace execseal
