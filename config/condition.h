// Condition: one thing that a rule asks of an exec; a rule matches when all of its conditions hold.
//
// Made while a policy is loaded, immutable afterwards, and pure: it sees one view of the exec and
// the facts that all views share. What it says about itself is made only when somebody asks.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/exec_facts.h"

namespace execseal {

// Where an exec can be read in two ways, the way that refuses it is taken. Strict: a match refuses
// the exec (deny, kill), so doubt matches. Lenient: a match lets it pass (allow, audit), so doubt
// does not match. `not` and `none` turn one into the other.
enum class Leaning { kStrict, kLenient };

inline Leaning opposite(Leaning leaning) {
    return leaning == Leaning::kStrict ? Leaning::kLenient : Leaning::kStrict;
}

// What a decision looks at that has to be bound to the exec, the least first. kFile: the program
// only, which the kernel itself names when it has opened it. kArguments: argv, environment, cwd.
enum class Binding { kNone, kFile, kArguments };

// A value in a record of an exec that stands for another one, a secret: only what is before and
// behind it is known.
struct Gap {
    enum class Place { kArgument, kVariable };
    Place place = Place::kArgument;
    std::string_view before;  // of a variable: NAME= and what is known of its value
    std::string_view after;
    std::size_t position = 0;             // of an argument, in `argv`
    std::span<const std::string> argv{};  // as it is in the record
};

class Condition {
  public:
    Condition() = default;
    Condition(const Condition&) = delete;
    Condition& operator=(const Condition&) = delete;
    Condition(Condition&&) = delete;
    Condition& operator=(Condition&&) = delete;
    virtual ~Condition() = default;

    [[nodiscard]] virtual bool holds(const ProgramView& view, const ExecFacts& facts) const = 0;

    // As a person would say it: `argv contains "push"`.
    [[nodiscard]] virtual std::string text() const = 0;
    // The same for an exec for which it holds; shorter where only a part of it mattered.
    [[nodiscard]] virtual std::string reason(const ProgramView& /*view*/,
                                             const ExecFacts& /*facts*/) const {
        return text();
    }
    // What it looked at: `argv is ["git", "status"]`.
    [[nodiscard]] virtual std::string found(const ProgramView& view,
                                            const ExecFacts& facts) const = 0;

    // For the index. Not null: it holds only if one of these stands among the arguments
    // (argv[1] onwards).
    [[nodiscard]] virtual const std::vector<std::string>* needed_arguments() const {
        return nullptr;
    }
    // The same with RE2 sources, where literals do not do: one of them must be found in an
    // argument.
    [[nodiscard]] virtual const std::vector<std::string>* needed_regexes() const { return nullptr; }

    // For an exec of which only a record is left; each condition says these for itself. Whether it
    // looks at the arguments.
    [[nodiscard]] virtual bool sees_arguments() const = 0;
    // Whether it looks at ProgramView::names or ExecFacts::cwd_names.
    [[nodiscard]] virtual bool sees_names() const = 0;
    // Whether it looks at ExecFacts::lineage, which nobody knows where forks are not notified.
    [[nodiscard]] virtual bool sees_lineage() const { return false; }
    // Whether it says the same whatever stands in the gap.
    [[nodiscard]] virtual bool overlooks(const Gap& gap) const = 0;
    // Adds the globs over the names of variables that it looks at.
    virtual void add_env_names(std::vector<std::string>& names) const = 0;

    // What others could change while an exec is decided.
    [[nodiscard]] virtual Binding binding() const = 0;
};

using Conditions = std::vector<std::unique_ptr<const Condition>>;

// `argv is ["git", "status"]`, for Condition::found.
std::string argv_text(const ProgramView& view);

}  // namespace execseal
