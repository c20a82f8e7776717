// "env" of a rule. An environment is a list of strings that anybody may have written: a name can
// stand in it twice (getenv(3) takes the first, bash the last), and a string can lack its "=".
#include "config/condition_env.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "config/pattern.h"
#include "config/quote.h"

namespace execseal {
namespace {

enum class Wanted { kAbsent, kPresent, kValue };

class EnvCondition final : public Condition {
  public:
    EnvCondition(Glob name, Wanted wanted, Pattern value, Leaning leaning)
        : name_(std::move(name)), wanted_(wanted), value_(std::move(value)), leaning_(leaning) {}

    [[nodiscard]] bool holds(const ProgramView& /*view*/, const ExecFacts& facts) const override {
        bool seen = false;
        bool well_formed = false;
        for (const std::string& entry : facts.env) {
            const std::size_t equals = entry.find('=');
            if (!name_.matches(std::string_view(entry).substr(0, equals))) {
                continue;
            }
            seen = true;
            well_formed = well_formed || equals != std::string::npos;
            if (wanted_ != Wanted::kValue) {
                continue;
            }
            const bool matched = equals != std::string::npos &&
                                 value_.matches(std::string_view(entry).substr(equals + 1));
            // Of several, one is enough to refuse, and all are needed to let pass.
            if (matched && leaning_ == Leaning::kStrict) {
                return true;
            }
            if (!matched && leaning_ == Leaning::kLenient) {
                return false;
            }
        }
        switch (wanted_) {
            case Wanted::kAbsent:
                // A string without "=" is no variable to libc, but might be one to the program.
                return leaning_ == Leaning::kStrict ? !well_formed : !seen;
            case Wanted::kPresent:
                return leaning_ == Leaning::kStrict ? seen : well_formed;
            case Wanted::kValue:
                return leaning_ == Leaning::kLenient && seen;
        }
        return leaning_ == Leaning::kStrict;
    }

    [[nodiscard]] std::string text() const override {
        std::string name = "env " + name_.pattern();
        switch (wanted_) {
            case Wanted::kAbsent:
                return name + " is not set";
            case Wanted::kPresent:
                return name + " is set";
            case Wanted::kValue:
                return name + " is " + value_.text();
        }
        return name;
    }
    [[nodiscard]] std::string found(const ProgramView& /*view*/,
                                    const ExecFacts& facts) const override {
        static constexpr std::size_t kListed = 4;
        std::string text;
        std::size_t count = 0;
        for (const std::string& entry : facts.env) {
            if (!name_.matches(std::string_view(entry).substr(0, entry.find('=')))) {
                continue;
            }
            if (++count > kListed) {
                return text + "...";
            }
            text += (text.empty() ? "env has " : ", ") + quoted(entry);
        }
        return text.empty() ? "env has no " + name_.pattern() : text;
    }
    void add_env_names(std::vector<std::string>& names) const override {
        names.push_back(name_.pattern());
    }
    [[nodiscard]] Binding binding() const override { return Binding::kArguments; }
    [[nodiscard]] bool sees_arguments() const override { return false; }
    [[nodiscard]] bool sees_names() const override { return false; }
    [[nodiscard]] bool overlooks(const Gap& gap) const override {
        const std::size_t equals = gap.before.find('=');
        return gap.place != Gap::Place::kVariable || wanted_ != Wanted::kValue ||
               !name_.matches(gap.before.substr(0, equals)) || equals == std::string_view::npos ||
               value_.matches_around(gap.before.substr(equals + 1), gap.after).has_value();
    }

  private:
    Glob name_;
    Wanted wanted_;
    Pattern value_;
    Leaning leaning_;
};

}  // namespace

void read_env_conditions(const JsonNode& node, Leaning leaning, Conditions& conditions) {
    const auto members = node.members("an object of variables");
    if (members.empty()) {
        node.expected("a non-empty object of variables");
    }
    for (const auto& [key, value] : members) {
        Result<Glob> name = Glob::compile(key);
        if (!name || key.find_first_of("=/") != std::string::npos ||
            key.find('\0') != std::string::npos) {
            value.problem("expected a variable's name as key, * in it stands for any bytes");
            continue;
        }
        Wanted wanted = Wanted::kValue;
        Pattern pattern;
        if (value.kind() == JsonNode::Kind::kNull) {
            wanted = Wanted::kAbsent;
        } else if (value.kind() == JsonNode::Kind::kBoolean) {
            wanted = Wanted::kPresent;
            if (!value.boolean()) {
                value.expected("a pattern, true (set) or null (not set)");
            }
        } else {
            pattern = Pattern::read(value, leaning);
        }
        conditions.push_back(std::make_unique<EnvCondition>(std::move(name).value(), wanted,
                                                            std::move(pattern), leaning));
    }
}

}  // namespace execseal
