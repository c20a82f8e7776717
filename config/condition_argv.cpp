#include "config/condition_argv.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "config/condition_flags.h"
#include "config/pattern.h"
#include "config/quote.h"

namespace execseal {
namespace {

using Arguments = std::span<const std::string>;

Arguments arguments_of(const ProgramView& view) {
    const Arguments all(view.argv);
    return all.empty() ? all : all.subspan(1);
}

// How a list of patterns is laid over the arguments.
enum class Order { kExact, kPrefix, kContains, kAny, kSequence, kNone, kEvery };

const char* order_text(Order order) {
    switch (order) {
        case Order::kExact:
            return "is exactly";
        case Order::kPrefix:
            return "begins with";
        case Order::kContains:
            return "contains";
        case Order::kAny:
            return "contains one of";
        case Order::kSequence:
            return "contains in a row";
        case Order::kNone:
            return "contains none of";
        case Order::kEvery:
            return "has only";
    }
    return "is";
}

class ListCondition final : public Condition {
  public:
    ListCondition(Order order, std::vector<Pattern> patterns)
        : order_(order), patterns_(std::move(patterns)) {
        needed_ = needed_of_patterns();
        if (needed_.empty()) {
            needed_regexes_ = searched_for();
        }
    }

    [[nodiscard]] bool holds(const ProgramView& view, const ExecFacts& /*facts*/) const override {
        const Arguments arguments = arguments_of(view);
        const auto listed = [this](const std::string& argument) { return is_listed(argument); };
        switch (order_) {
            case Order::kExact:
                return arguments.size() == patterns_.size() && starts(arguments);
            case Order::kPrefix:
                return starts(arguments);
            case Order::kContains:
                return std::all_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
                    return std::any_of(
                        arguments.begin(), arguments.end(),
                        [&](const std::string& argument) { return pattern.matches(argument); });
                });
            case Order::kAny:
                return std::any_of(arguments.begin(), arguments.end(), listed);
            case Order::kSequence:
                for (std::size_t i = 0; i + patterns_.size() <= arguments.size(); ++i) {
                    if (starts(arguments.subspan(i))) {
                        return true;
                    }
                }
                return false;
            case Order::kNone:
                return std::none_of(arguments.begin(), arguments.end(), listed);
            case Order::kEvery:
                return std::all_of(arguments.begin(), arguments.end(), listed);
        }
        return false;
    }

    [[nodiscard]] std::string text() const override {
        std::string text = std::string("argv ") + order_text(order_);
        for (std::size_t i = 0; i < patterns_.size(); ++i) {
            text += i == 0 ? " " : ", ";
            if (i == kListed) {
                return text + "... (" + std::to_string(patterns_.size()) + " in all)";
            }
            text += patterns_[i].text();
        }
        return patterns_.empty() ? text + " nothing" : text;
    }

    [[nodiscard]] std::string reason(const ProgramView& view,
                                     const ExecFacts& /*facts*/) const override {
        if (order_ != Order::kAny) {
            return text();
        }
        const Arguments arguments = arguments_of(view);
        const auto found =
            std::find_if(arguments.begin(), arguments.end(),
                         [this](const std::string& argument) { return is_listed(argument); });
        return found == arguments.end() ? text() : "argv contains " + quoted(*found);
    }

    [[nodiscard]] std::string found(const ProgramView& view,
                                    const ExecFacts& /*facts*/) const override {
        return argv_text(view);
    }

    [[nodiscard]] const std::vector<std::string>* needed_arguments() const override {
        return needed_.empty() ? nullptr : &needed_;
    }
    [[nodiscard]] const std::vector<std::string>* needed_regexes() const override {
        return needed_regexes_.empty() ? nullptr : &needed_regexes_;
    }
    [[nodiscard]] Binding binding() const override { return Binding::kArguments; }
    [[nodiscard]] bool sees_arguments() const override { return true; }
    [[nodiscard]] bool sees_names() const override { return false; }
    void add_env_names(std::vector<std::string>& /*names*/) const override {}
    [[nodiscard]] bool overlooks(const Gap& gap) const override {
        if (gap.place != Gap::Place::kArgument) {
            return true;
        }
        const bool positional = order_ == Order::kExact || order_ == Order::kPrefix;
        if (positional) {
            return gap.position < 1 || gap.position > patterns_.size() ||
                   is_sure(patterns_[gap.position - 1], gap);
        }
        const bool one_is_enough =
            order_ == Order::kAny || order_ == Order::kNone || order_ == Order::kEvery;
        if (one_is_enough &&
            std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
                return pattern.matches_around(gap.before, gap.after).value_or(false);
            })) {
            return true;
        }
        return std::all_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
            return is_sure(pattern, gap) ||
                   (order_ == Order::kContains && stands_elsewhere(pattern, gap));
        });
    }

  private:
    static constexpr std::size_t kListed = 8;

    static bool is_sure(const Pattern& pattern, const Gap& gap) {
        return pattern.matches_around(gap.before, gap.after).has_value();
    }
    static bool stands_elsewhere(const Pattern& pattern, const Gap& gap) {
        const std::string* const literal = pattern.literal();
        for (std::size_t i = 1; literal != nullptr && i < gap.argv.size(); ++i) {
            if (i != gap.position && gap.argv[i] == *literal) {
                return true;
            }
        }
        return false;
    }

    [[nodiscard]] bool starts(Arguments arguments) const {
        return arguments.size() >= patterns_.size() &&
               std::equal(patterns_.begin(), patterns_.end(), arguments.begin(),
                          [](const Pattern& pattern, const std::string& argument) {
                              return pattern.matches(argument);
                          });
    }

    // Without a literal to look for: what the index may search the arguments for instead.
    [[nodiscard]] std::vector<std::string> searched_for() const {
        std::vector<std::string> sources;
        if (order_ == Order::kNone || order_ == Order::kEvery) {
            return sources;
        }
        for (const Pattern& pattern : patterns_) {
            sources.push_back(pattern.search_source());
            if (order_ != Order::kAny) {
                break;  // all must be there: the first will do
            }
        }
        return sources;
    }

    [[nodiscard]] bool is_listed(const std::string& argument) const {
        return std::any_of(patterns_.begin(), patterns_.end(),
                           [&](const Pattern& pattern) { return pattern.matches(argument); });
    }

    [[nodiscard]] std::vector<std::string> needed_of_patterns() const {
        std::vector<std::string> needed;
        if (order_ == Order::kNone || order_ == Order::kEvery) {
            return needed;
        }
        for (const Pattern& pattern : patterns_) {
            const std::string* const literal = pattern.literal();
            if (order_ == Order::kAny) {
                if (literal == nullptr) {
                    return {};  // the argument that makes it hold may be any
                }
                needed.push_back(*literal);
            } else if (literal != nullptr) {
                return {*literal};  // all of them must be there: one is enough to look for
            }
        }
        return needed;
    }

    Order order_;
    std::vector<Pattern> patterns_;
    std::vector<std::string> needed_;
    std::vector<std::string> needed_regexes_;
};

class PositionCondition final : public Condition {
  public:
    PositionCondition(int position, Pattern pattern)
        : position_(position), pattern_(std::move(pattern)) {}

    [[nodiscard]] bool holds(const ProgramView& view, const ExecFacts& /*facts*/) const override {
        const auto size = static_cast<std::int64_t>(view.argv.size());
        const std::int64_t at = position_ < 0 ? size + position_ : position_;
        // -1 never reaches argv[0]: "the last argument" of a call without any is none.
        const std::int64_t least = position_ < 0 ? 1 : 0;
        return at >= least && at < size && pattern_.matches(view.argv[static_cast<size_t>(at)]);
    }
    [[nodiscard]] std::string text() const override {
        return "argv[" + std::to_string(position_) + "] is " + pattern_.text();
    }
    [[nodiscard]] std::string found(const ProgramView& view,
                                    const ExecFacts& /*facts*/) const override {
        return argv_text(view);
    }
    [[nodiscard]] Binding binding() const override { return Binding::kArguments; }
    [[nodiscard]] bool sees_arguments() const override { return true; }
    [[nodiscard]] bool sees_names() const override { return false; }
    void add_env_names(std::vector<std::string>& /*names*/) const override {}
    [[nodiscard]] bool overlooks(const Gap& gap) const override {
        const auto size = static_cast<std::int64_t>(gap.argv.size());
        const std::int64_t at = position_ < 0 ? size + position_ : position_;
        return gap.place != Gap::Place::kArgument ||
               at != static_cast<std::int64_t>(gap.position) ||
               pattern_.matches_around(gap.before, gap.after).has_value();
    }

  private:
    int position_;
    Pattern pattern_;
};

class CountCondition final : public Condition {
  public:
    CountCondition(std::int64_t least, std::int64_t most) : least_(least), most_(most) {}

    [[nodiscard]] bool holds(const ProgramView& view, const ExecFacts& /*facts*/) const override {
        const auto count = static_cast<std::int64_t>(arguments_of(view).size());
        return count >= least_ && count <= most_;
    }
    [[nodiscard]] std::string text() const override {
        if (most_ == std::numeric_limits<std::int64_t>::max()) {
            return "argv has at least " + std::to_string(least_) + " arguments";
        }
        return "argv has " + std::to_string(least_) + " to " + std::to_string(most_) + " arguments";
    }
    [[nodiscard]] std::string found(const ProgramView& view,
                                    const ExecFacts& /*facts*/) const override {
        return "argv has " + std::to_string(arguments_of(view).size()) + " arguments";
    }
    [[nodiscard]] Binding binding() const override { return Binding::kArguments; }
    [[nodiscard]] bool sees_arguments() const override { return true; }
    [[nodiscard]] bool sees_names() const override { return false; }
    void add_env_names(std::vector<std::string>& /*names*/) const override {}
    // A secret is one argument, whatever it is.
    [[nodiscard]] bool overlooks(const Gap& /*gap*/) const override { return true; }

  private:
    std::int64_t least_;
    std::int64_t most_;
};

// "prefix": ["git", "push"] is a rule that never matches, and nobody would notice where it refuses.
void refuse_program_name(const JsonNode& first, const Pattern& pattern,
                         const ProgramHint& program) {
    const std::string* const literal = pattern.literal();
    if (literal == nullptr) {
        return;
    }
    const std::string name = literal->substr(literal->rfind('/') + 1);
    if (std::find(program.names.begin(), program.names.end(), name) != program.names.end()) {
        first.problem("expected the first argument after the program's name, got the name " +
                      quoted(*literal) +
                      " itself (argv[0] is not looked at; \"at\" {\"0\": ...} "
                      "does)");
    }
}

void read_list(const JsonNode& node, Order order, Leaning leaning, const ProgramHint& program,
               Conditions& conditions) {
    const bool positional = order == Order::kExact || order == Order::kPrefix;
    if (positional && !program.known) {
        node.problem(
            "expected an exe condition in the same rule: positions mean something for a "
            "known program only (or use contains)");
    }
    static constexpr std::string_view kList = "a non-empty array of patterns";
    std::vector<Pattern> patterns;
    // "exact": [] is a program without arguments.
    const std::vector<JsonNode> items =
        order == Order::kExact ? node.items("an array of patterns") : node.non_empty_items(kList);
    for (const JsonNode& item : items) {
        patterns.push_back(
            Pattern::read(item, order == Order::kNone ? opposite(leaning) : leaning));
        if (positional && patterns.size() == 1) {
            refuse_program_name(item, patterns.front(), program);
        }
    }
    conditions.push_back(std::make_unique<ListCondition>(order, std::move(patterns)));
}

void read_positions(const JsonNode& node, Leaning leaning, Conditions& conditions) {
    const auto members = node.members("an object of positions");
    if (members.empty()) {
        node.expected("a non-empty object of positions");
    }
    for (const auto& [key, value] : members) {
        int position = 0;
        const char* const end = key.data() + key.size();
        const auto [stop, error] = std::from_chars(key.data(), end, position);
        if (error != std::errc() || stop != end || std::to_string(position) != key) {
            value.problem(
                "expected a position as key, \"0\", \"1\"... or \"-1\", \"-2\"... from "
                "the end");
            continue;
        }
        conditions.push_back(
            std::make_unique<PositionCondition>(position, Pattern::read(value, leaning)));
    }
}

void read_count(const JsonNode& node, Conditions& conditions) {
    static constexpr std::int64_t kMost = 0x7fffffff;
    const JsonObject object = node.object({"min", "max"});
    const auto min = object.get("min");
    const auto max = object.get("max");
    if (!min && !max) {
        node.expected("an object with min or max");
        return;
    }
    const std::int64_t least = min ? min->integer(0, kMost) : 0;
    const std::int64_t most =
        max ? max->integer(0, kMost) : std::numeric_limits<std::int64_t>::max();
    if (least > most) {
        node.problem("expected min to be at most max");
    }
    conditions.push_back(std::make_unique<CountCondition>(least, most));
}

}  // namespace

void read_argv_conditions(const JsonNode& node, Leaning leaning, const ProgramHint& program,
                          Conditions& conditions) {
    static constexpr std::pair<std::string_view, Order> kLists[] = {
        {"exact", Order::kExact},       {"prefix", Order::kPrefix}, {"contains", Order::kContains},
        {"any", Order::kAny},           {"none", Order::kNone},     {"every", Order::kEvery},
        {"sequence", Order::kSequence},
    };
    const JsonObject object = node.object({"exact", "prefix", "contains", "any", "none", "every",
                                           "sequence", "at", "count", "flag", "subcommand"});
    const std::size_t before = conditions.size();
    for (const auto& [key, order] : kLists) {
        if (const auto list = object.get(key)) {
            read_list(*list, order, leaning, program, conditions);
        }
    }
    if (const auto positions = object.get("at")) {
        read_positions(*positions, leaning, conditions);
    }
    if (const auto count = object.get("count")) {
        read_count(*count, conditions);
    }
    if (const auto flag = object.get("flag")) {
        read_flag_condition(*flag, leaning, conditions);
    }
    if (const auto subcommand = object.get("subcommand")) {
        read_subcommand_condition(*subcommand, leaning, conditions);
    }
    if (conditions.size() == before) {
        node.expected("an object with at least one condition");
    }
}

}  // namespace execseal
