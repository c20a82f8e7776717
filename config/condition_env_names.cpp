// "env_names" of a rule: the environment by list. What a variable does is known of a few only, so a
// rule that must not let code in through the environment names those that may be there.
#include "config/condition_env.h"

#include <algorithm>
#include <string_view>

#include "config/glob.h"
#include "config/quote.h"

namespace execseal {
namespace {

class EnvNamesCondition final : public Condition {
  public:
    EnvNamesCondition(std::vector<Glob> names, Leaning leaning)
        : names_(std::move(names)), leaning_(leaning) {}

    [[nodiscard]] bool holds(const ProgramView& /*view*/, const ExecFacts& facts) const override {
        return stranger(facts) == nullptr;
    }
    [[nodiscard]] std::string text() const override {
        static constexpr std::size_t kListed = 8;
        std::string text = "env has only";
        for (std::size_t i = 0; i < names_.size(); ++i) {
            if (i == kListed) {
                return text + "... (" + std::to_string(names_.size()) + " in all)";
            }
            text += (i == 0 ? " " : ", ") + names_[i].pattern();
        }
        return text;
    }
    [[nodiscard]] std::string found(const ProgramView& /*view*/,
                                    const ExecFacts& facts) const override {
        const std::string* const entry = stranger(facts);
        return entry == nullptr ? "env has no other" : "env has " + quoted(*entry);
    }
    // Any variable decides.
    void add_env_names(std::vector<std::string>& names) const override { names.emplace_back("**"); }
    [[nodiscard]] Binding binding() const override { return Binding::kArguments; }
    [[nodiscard]] bool sees_arguments() const override { return false; }
    [[nodiscard]] bool sees_names() const override { return false; }
    // Names of variables are no secrets.
    [[nodiscard]] bool overlooks(const Gap& /*gap*/) const override { return true; }

  private:
    // A string without "=" is no variable to libc, but might be one to the program: it may not be
    // there where a match lets pass, and is overlooked where a match refuses.
    [[nodiscard]] const std::string* stranger(const ExecFacts& facts) const {
        const auto found =
            std::find_if(facts.env.begin(), facts.env.end(), [&](const std::string& entry) {
                const std::size_t equals = entry.find('=');
                if (equals == std::string::npos) {
                    return leaning_ == Leaning::kLenient;
                }
                const std::string_view name = std::string_view(entry).substr(0, equals);
                return std::none_of(names_.begin(), names_.end(),
                                    [&](const Glob& glob) { return glob.matches(name); });
            });
        return found == facts.env.end() ? nullptr : &*found;
    }

    std::vector<Glob> names_;
    Leaning leaning_;
};

}  // namespace

void read_env_names_condition(const JsonNode& node, Leaning leaning, Conditions& conditions) {
    static constexpr std::string_view kName = "a variable's name, * in it stands for any bytes";
    std::vector<Glob> names;
    for (const JsonNode& item : node.non_empty_items("a non-empty array of variables' names")) {
        const std::string text = item.non_empty_string(kName);
        Result<Glob> name = Glob::compile(text);
        if (!name || text.find_first_of("=/") != std::string::npos) {
            item.expected(kName);
            continue;
        }
        names.push_back(std::move(name).value());
    }
    conditions.push_back(std::make_unique<EnvNamesCondition>(std::move(names), leaning));
}

}  // namespace execseal
