#include "hook/cli/observed.h"

#include <algorithm>

#include "config/condition_facts.h"
#include "hook/cli/argument_shape.h"
#include "hook/cli/table.h"

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

// What a rule can tell, for a person to read and in a policy of 8 MiB: bytes of texts that are no
// pattern's example, arguments (xargs(1) makes thousands), variables. A long exec is one with more
// than kLong bytes of arguments; all of them together may take kLongTexts.
constexpr std::size_t kText = std::size_t{64} << 10U;
constexpr std::size_t kArguments = 16'384;
constexpr std::size_t kVariables = 4096;
constexpr std::size_t kLong = std::size_t{4} << 10U;
constexpr std::size_t kLongTexts = std::size_t{4} << 20U;

std::size_t bytes_of(const std::vector<std::string>& strings) {
    std::size_t bytes = 0;
    for (const std::string& one : strings) {
        bytes += one.size();
    }
    return bytes;
}

// How long a rule about these arguments would be, more or less.
std::size_t text_of(const std::vector<std::string>& arguments) {
    std::set<std::string> texts;
    for (const std::string& argument : arguments) {
        const ArgumentShape shape = shape_of(argument, Width::kDefault);
        texts.insert(shape.general ? shape.regex : argument);
    }
    static constexpr std::size_t kEscaped = 4;  // \xNN
    std::size_t bytes = 0;
    for (const std::string& text : texts) {
        for (const char c : text) {
            bytes += static_cast<unsigned char>(c) < 0x80 ? 1 : kEscaped;
        }
    }
    return bytes;
}

bool has_long_variables(const std::vector<std::string>& env) {
    return env.size() > kVariables || std::any_of(env.begin(), env.end(), [](const auto& entry) {
               return entry.size() > kText;
           });
}

}  // namespace

// Whether no rule is to tell this exec.
bool Observations::set_apart(const RecordedExec& exec) {
    const std::vector<std::string>& argv = exec.facts->views.front().argv;
    const std::size_t bytes = bytes_of(argv);
    std::string why;
    if (has_long_variables(exec.facts->env)) {
        why = std::to_string(exec.facts->env.size()) + " variables of " +
              std::to_string(bytes_of(exec.facts->env)) + " bytes";
    } else if (bytes > kLong) {
        const std::size_t text = argv.size() > kArguments ? 0 : text_of(argv);
        if (argv.size() > kArguments || text > kText || long_texts_ + text > kLongTexts) {
            why = std::to_string(argv.size()) + " arguments of " + std::to_string(bytes) + " bytes";
        } else {
            long_texts_ += text;
        }
    }
    static constexpr std::size_t kNamed = 20;
    if (!why.empty() && named_too_large_.size() < kNamed) {
        named_too_large_.push_back(command_text(exec.facts->views.front().exe, argv) +
                                   (exec.id.empty() ? "" : ", event " + printable(exec.id)) + ": " +
                                   why + " are too many for a rule to read");
    }
    return !why.empty();
}

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
    if (known.place == &Observations::taken_ && set_apart(exec)) {
        known.place = &Observations::too_large_;
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
