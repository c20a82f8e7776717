#include "hook/cli/observed.h"

#include <algorithm>

#include "config/condition_facts.h"

namespace execseal {
namespace {

std::string key_of(const ExecFacts& facts) {
    std::string key = std::string(via_name(facts.via)) + '\0';
    for (const ProgramView& view : facts.views) {
        key += view.exe + '\0' + view.loose_link + '\0';
    }
    for (std::size_t i = 1; i < facts.views.front().argv.size(); ++i) {
        key += facts.views.front().argv[i] + '\0';
    }
    return key;
}

}  // namespace

void Observations::add(const RecordedExec& exec, std::size_t group) {
    if (group == 0) {
        (void)add_new(exec);
        return;
    }
    groups_.resize(std::max(groups_.size(), group + 1));
    Known& known = groups_[group];
    if (known.place == nullptr) {
        known = add_new(exec);
        return;
    }
    ++(this->*known.place);
    if (known.place == &Observations::taken_) {
        count(execs_[known.observed], exec.time);
    }
}

void Observations::count(ObservedExec& observed, const std::string& time) {
    observed.first = observed.count == 0 ? time : std::min(observed.first, time);
    observed.last = std::max(observed.last, time);
    ++observed.count;
}

Observations::Known Observations::add_new(RecordedExec exec) {
    Known known{&Observations::taken_};
    if (!was_run(exec)) {
        const bool by_policy = exec.verdict == "deny" || exec.verdict == "kill";
        known.place =
            by_policy && exec.rule != "kernel" ? &Observations::refused_ : &Observations::not_run_;
    } else if (!exec.facts || exec.arguments_cut || exec.programs_unknown) {
        known.place = &Observations::not_whole_;
    }
    ++(this->*known.place);
    if (known.place != &Observations::taken_) {
        return known;
    }
    take_environment(exec);
    redact(exec);
    const auto [found, made] = by_key_.try_emplace(key_of(*exec.facts), execs_.size());
    known.observed = found->second;
    if (made) {
        execs_.emplace_back();
    }
    ObservedExec& observed = execs_[known.observed];
    count(observed, exec.time);
    observed.uids.insert(exec.facts->uid);
    observed.containers.insert(exec.container_id);
    if (made) {
        observed.exec = std::move(exec);
    }
    return known;
}

void Observations::take_environment(const RecordedExec& exec) {
    const bool whole = !exec.environment_cut && exec.env_of.size() == 1 && exec.env_of[0] == "**";
    environment_ = environment_ && whole;
    for (const std::string& entry : exec.facts->env) {
        const std::size_t equals = entry.find('=');
        if (equals == std::string::npos ||
            !environments_.insert(exec.facts->views.front().exe + '\0' + entry).second) {
            continue;
        }
        ObservedVariable& variable = variables_[entry.substr(0, equals)];
        for (const ProgramView& view : exec.facts->views) {
            variable.programs.insert(view.exe);
        }
        variable.secret = variable.secret || secrets_.redact_variable(entry) != entry ||
                          around_secret(entry).has_value();
        if (!variable.secret && variable.values.size() <= ObservedVariable::kValues) {
            variable.values.insert(entry.substr(equals + 1));
        }
    }
}

void Observations::redact(RecordedExec& exec) const {
    for (ProgramView& view : exec.facts->views) {
        const std::vector<std::string> argv = view.argv;
        for (std::size_t i = 1; i < argv.size(); ++i) {
            view.argv[i] = secrets_.redact_argument(view.exe, argv, i);
            exec.redacted = exec.redacted || view.argv[i] != argv[i];
        }
    }
    for (std::string& entry : exec.facts->env) {
        const std::string shown = secrets_.redact_variable(entry);
        exec.redacted = exec.redacted || shown != entry;
        entry = shown;
    }
}

}  // namespace execseal
