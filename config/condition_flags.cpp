#include "config/condition_flags.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "config/quote.h"

namespace execseal {
namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : ", ") + quoted(word);
    }
    return text;
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

class FlagCondition final : public Condition {
  public:
    explicit FlagCondition(std::vector<std::string> flags) : flags_(std::move(flags)) {
        for (const std::string& flag : flags_) {
            if (flag.size() == 2) {
                letters_ += flag[1];
            } else {
                names_.push_back(flag.substr(2));
            }
        }
    }

    [[nodiscard]] bool holds(const ProgramView& view, const ExecFacts& /*facts*/) const override {
        return given(view) != nullptr;
    }
    [[nodiscard]] std::string text() const override {
        return "argv has the flag " + joined(flags_);
    }
    [[nodiscard]] std::string reason(const ProgramView& view,
                                     const ExecFacts& /*facts*/) const override {
        const std::string* const argument = given(view);
        return argument == nullptr ? text() : text() + " (in " + quoted(*argument) + ")";
    }
    [[nodiscard]] std::string found(const ProgramView& view,
                                    const ExecFacts& /*facts*/) const override {
        return argv_text(view);
    }
    [[nodiscard]] Binding binding() const override { return Binding::kArguments; }
    [[nodiscard]] bool sees_arguments() const override { return true; }
    [[nodiscard]] bool sees_names() const override { return false; }
    void add_env_names(std::vector<std::string>& /*names*/) const override {}
    // What follows a flag's "=" is no part of its name.
    [[nodiscard]] bool overlooks(const Gap& gap) const override {
        return gap.place != Gap::Place::kArgument || gap.before.find('=') != std::string_view::npos;
    }

  private:
    [[nodiscard]] const std::string* given(const ProgramView& view) const {
        for (std::size_t i = 1; i < view.argv.size(); ++i) {
            if (is_given(view.argv[i])) {
                return &view.argv[i];
            }
        }
        return nullptr;
    }

    [[nodiscard]] bool is_given(std::string_view argument) const {
        if (argument.size() < 2 || argument[0] != '-') {
            return false;
        }
        const bool two_dashes = argument[1] == '-';
        const std::string_view body = argument.substr(two_dashes ? 2 : 1);
        const std::string_view name = body.substr(0, body.find('='));
        if (!two_dashes && body.find_first_of(letters_) != std::string_view::npos) {
            return true;
        }
        return !name.empty() &&
               std::any_of(names_.begin(), names_.end(), [&](const std::string& full) {
                   return two_dashes ? full.starts_with(name) : full == name;
               });
    }

    std::vector<std::string> flags_;
    std::string letters_;             // of the -x flags
    std::vector<std::string> names_;  // of the --xyz flags
};

class SubcommandCondition final : public Condition {
  public:
    SubcommandCondition(std::vector<std::string> names, std::vector<std::string> with_values,
                        std::vector<std::string> without_values, Leaning leaning)
        : names_(std::move(names)),
          with_values_(std::move(with_values)),
          without_values_(std::move(without_values)),
          leaning_(leaning) {}

    [[nodiscard]] bool holds(const ProgramView& view, const ExecFacts& /*facts*/) const override {
        const Place place = look(view);
        if (place.certain) {
            return place.at && contains(names_, view.argv[*place.at]);
        }
        return leaning_ == Leaning::kStrict &&
               std::any_of(view.argv.begin() + 1, view.argv.end(),
                           [&](const std::string& argument) { return contains(names_, argument); });
    }
    [[nodiscard]] std::string text() const override { return "subcommand is " + joined(names_); }
    [[nodiscard]] std::string found(const ProgramView& view,
                                    const ExecFacts& /*facts*/) const override {
        const Place place = look(view);
        if (!place.certain) {
            return "subcommand is uncertain (a flag in neither list), " + argv_text(view);
        }
        return place.at ? "subcommand is " + quoted(view.argv[*place.at])
                        : "there is no subcommand";
    }
    [[nodiscard]] const std::vector<std::string>* needed_arguments() const override {
        return &names_;
    }
    [[nodiscard]] Binding binding() const override { return Binding::kArguments; }
    [[nodiscard]] bool sees_arguments() const override { return true; }
    [[nodiscard]] bool sees_names() const override { return false; }
    void add_env_names(std::vector<std::string>& /*names*/) const override {}
    // What follows a flag's "=" is no part of its name.
    [[nodiscard]] bool overlooks(const Gap& gap) const override {
        return gap.place != Gap::Place::kArgument || gap.before.find('=') != std::string_view::npos;
    }

  private:
    struct Place {
        bool certain = true;
        std::optional<std::size_t> at;
    };

    [[nodiscard]] Place look(const ProgramView& view) const {
        std::size_t i = 1;
        while (i < view.argv.size()) {
            const std::string& argument = view.argv[i];
            if (argument == "--") {
                ++i;
                break;
            }
            if (argument.size() < 2 || argument[0] != '-') {
                break;
            }
            if (contains(with_values_, argument)) {
                i += 2;
                continue;
            }
            const std::string_view name = std::string_view(argument).substr(0, argument.find('='));
            const bool attached = name.size() < argument.size() && contains(with_values_, name);
            if (!attached && !contains(without_values_, argument)) {
                return {.certain = false, .at = std::nullopt};
            }
            ++i;
        }
        return {.certain = true, .at = i < view.argv.size() ? std::optional(i) : std::nullopt};
    }

    std::vector<std::string> names_;
    std::vector<std::string> with_values_;
    std::vector<std::string> without_values_;
    Leaning leaning_;
};

std::vector<std::string> read_flags(const JsonNode& node) {
    std::vector<std::string> flags;
    for (const JsonNode& item : node.non_empty_items("a non-empty array of flags")) {
        std::string flag = item.non_empty_string("a flag, \"-x\" or \"--name\"");
        const bool single = flag.size() == 2 && flag[0] == '-' && flag[1] != '-';
        const bool named = flag.size() > 3 && flag.starts_with("--");
        if ((!single && !named) || flag.find('=') != std::string::npos) {
            item.expected("a flag, \"-x\" or \"--name\"");
            continue;
        }
        flags.push_back(std::move(flag));
    }
    return flags;
}

// Global flags are compared as they are written: any spelling that begins with a dash.
std::vector<std::string> read_global_flags(const std::optional<JsonNode>& node) {
    std::vector<std::string> flags;
    if (!node) {
        return flags;
    }
    for (const JsonNode& item : node->items("an array of flags")) {
        std::string flag = item.non_empty_string("a flag, as \"-C\" or \"--git-dir\"");
        if (flag.size() < 2 || flag[0] != '-' || flag == "--") {
            item.expected("a flag, as \"-C\" or \"--git-dir\"");
        }
        flags.push_back(std::move(flag));
    }
    return flags;
}

std::string read_subcommand_name(const JsonNode& node, std::string_view what) {
    std::string name = node.non_empty_string(what);
    if (name.starts_with('-')) {
        node.expected("a subcommand's name (\"flag\" is for flags)");
    }
    return name;
}

std::vector<std::string> read_names(const JsonNode& node) {
    static constexpr std::string_view kName = "a subcommand's name or a non-empty array of names";
    if (node.kind() == JsonNode::Kind::kString) {
        return {read_subcommand_name(node, kName)};
    }
    std::vector<std::string> names;
    for (const JsonNode& item : node.non_empty_items(kName)) {
        names.push_back(read_subcommand_name(item, "a subcommand's name"));
    }
    return names;
}

}  // namespace

void read_flag_condition(const JsonNode& node, Leaning leaning, Conditions& conditions) {
    if (leaning == Leaning::kLenient) {
        node.problem(
            "expected \"contains\" where a match lets pass: flag sees more than was given "
            "(it may stand in deny and kill rules, or below not)");
    }
    conditions.push_back(std::make_unique<FlagCondition>(read_flags(node)));
}

void read_subcommand_condition(const JsonNode& node, Leaning leaning, Conditions& conditions) {
    const JsonObject object = node.object({"is", "flags_with_values", "flags"});
    const auto is = object.require("is");
    if (!is) {
        return;
    }
    conditions.push_back(std::make_unique<SubcommandCondition>(
        read_names(*is), read_global_flags(object.get("flags_with_values")),
        read_global_flags(object.get("flags")), leaning));
}

}  // namespace execseal
