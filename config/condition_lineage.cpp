#include "config/condition_lineage.h"

#include <algorithm>
#include <utility>

#include "config/condition_facts.h"
#include "config/quote.h"

namespace execseal {
namespace {

constexpr std::size_t kListed = 8;

std::string name_of(const ExecutedProgram& program) {
    return quoted(program.exe) + (program.proved ? "" : " (not proved)");
}

// Of one that is not whole: what lies beyond is not known.
std::string chain_text(const Lineage& lineage, const char* between) {
    std::string text;
    std::size_t listed = 0;
    for (const LineageNode* node = lineage.nearest.get(); node != nullptr;
         node = node->above.get()) {
        text += text.empty() ? "" : between;
        if (++listed > kListed) {
            return text + "... (" + std::to_string(lineage.nearest->length) + " in all)";
        }
        text += name_of(*node->program);
    }
    return lineage.whole ? text : text + (text.empty() ? "" : between) + "?";
}

// What all conditions about lineage have in common.
class LineageCondition : public Condition {
  public:
    [[nodiscard]] Binding binding() const override { return Binding::kNone; }
    [[nodiscard]] bool sees_arguments() const override { return false; }
    [[nodiscard]] bool sees_names() const override { return false; }
    [[nodiscard]] bool sees_lineage() const override { return true; }
    [[nodiscard]] bool overlooks(const Gap& /*gap*/) const override { return true; }
    void add_env_names(std::vector<std::string>& /*names*/) const override {}
};

class AboveCondition final : public LineageCondition {
  public:
    // How far up it looks.
    enum class Reach { kParent, kAll };
    AboveCondition(Reach reach, std::vector<Glob> globs, Leaning leaning)
        : reach_(reach), globs_(std::move(globs)), leaning_(leaning) {}

    [[nodiscard]] bool holds(const ProgramView& /*view*/, const ExecFacts& facts) const override {
        return matching(facts.lineage).has_value() || may_hold_unseen(facts.lineage);
    }
    [[nodiscard]] std::string text() const override {
        return name() + (globs_.size() == 1 ? " matches " : " matches one of ") +
               globs_text(globs_);
    }
    [[nodiscard]] std::string reason(const ProgramView& /*view*/,
                                     const ExecFacts& facts) const override {
        const auto match = matching(facts.lineage);
        if (match) {
            return match->glob->is_literal() ? name() + " is " + quoted(match->glob->literal())
                                             : name() + " " + quoted(*match->path) + " matches " +
                                                   quoted(match->glob->pattern());
        }
        return may_hold_unseen(facts.lineage)
                   ? name() + " is not known and may be " + globs_text(globs_)
                   : text();
    }
    [[nodiscard]] std::string found(const ProgramView& /*view*/,
                                    const ExecFacts& facts) const override {
        const Lineage& lineage = facts.lineage;
        if (!lineage.nearest) {
            return lineage.whole ? "nothing stands above it" : "what stands above it is not known";
        }
        return reach_ == Reach::kParent ? "parent is " + parent_text(*lineage.nearest->program)
                                        : "above it are " + chain_text(lineage, ", ");
    }

  private:
    struct Match {
        const Glob* glob;
        const std::string* path;
    };

    [[nodiscard]] std::string name() const {
        return reach_ == Reach::kParent ? "parent" : "ancestor";
    }
    [[nodiscard]] std::string parent_text(const ExecutedProgram& program) const {
        std::string text = name_of(program);
        for (std::size_t i = 0; leaning_ == Leaning::kStrict && i < program.names.size(); ++i) {
            if (i == kListed) {
                return text + "... (" + std::to_string(program.names.size()) + " other names)";
            }
            text += " or " + quoted(program.names[i]);
        }
        return text;
    }

    [[nodiscard]] std::optional<Match> matching(const std::string& path) const {
        const auto found = std::find_if(globs_.begin(), globs_.end(), [&](const Glob& glob) {
            return names_program(glob, path, leaning_);
        });
        return found == globs_.end() ? std::nullopt : std::optional(Match{&*found, &path});
    }
    [[nodiscard]] std::optional<Match> matching(const ExecutedProgram& program) const {
        if (leaning_ == Leaning::kLenient) {
            return program.proved ? matching(program.exe) : std::nullopt;
        }
        auto match = matching(program.exe);
        for (std::size_t i = 0; !match && i < program.names.size(); ++i) {
            match = matching(program.names[i]);
        }
        return match;
    }
    [[nodiscard]] std::optional<Match> matching(const Lineage& lineage) const {
        const LineageNode* node = lineage.nearest.get();
        while (node != nullptr) {
            if (auto match = matching(*node->program)) {
                return match;
            }
            node = reach_ == Reach::kParent ? nullptr : node->above.get();
        }
        return std::nullopt;
    }
    // Where no known one matches.
    [[nodiscard]] bool may_hold_unseen(const Lineage& lineage) const {
        const bool sees_end = reach_ == Reach::kAll || !lineage.nearest;
        return leaning_ == Leaning::kStrict && sees_end && !lineage.whole;
    }

    Reach reach_;
    std::vector<Glob> globs_;
    Leaning leaning_;
};

class DepthCondition final : public LineageCondition {
  public:
    DepthCondition(std::vector<NumberRange> ranges, Leaning leaning)
        : ranges_(std::move(ranges)), leaning_(leaning) {}

    [[nodiscard]] bool holds(const ProgramView& /*view*/, const ExecFacts& facts) const override {
        const Lineage& lineage = facts.lineage;
        const std::int64_t depth = lineage.depth;
        if (!lineage.whole && leaning_ == Leaning::kLenient) {
            return false;
        }
        return std::any_of(ranges_.begin(), ranges_.end(), [&](const NumberRange& range) {
            return range.most >= depth && (!lineage.whole || range.least <= depth);
        });
    }
    [[nodiscard]] std::string text() const override { return "depth is " + ranges_text(ranges_); }
    [[nodiscard]] std::string reason(const ProgramView& view,
                                     const ExecFacts& facts) const override {
        return facts.lineage.whole ? text()
                                   : found(view, facts) + ", which may be " + ranges_text(ranges_);
    }
    [[nodiscard]] std::string found(const ProgramView& /*view*/,
                                    const ExecFacts& facts) const override {
        return std::string("depth is ") + (facts.lineage.whole ? "" : "not known, at least ") +
               std::to_string(facts.lineage.depth);
    }

  private:
    std::vector<NumberRange> ranges_;
    Leaning leaning_;
};

}  // namespace

void read_parent_condition(const JsonNode& node, Leaning leaning, Conditions& conditions) {
    conditions.push_back(std::make_unique<AboveCondition>(AboveCondition::Reach::kParent,
                                                          read_exe_globs(node), leaning));
}

void read_ancestor_condition(const JsonNode& node, Leaning leaning, Conditions& conditions) {
    conditions.push_back(std::make_unique<AboveCondition>(AboveCondition::Reach::kAll,
                                                          read_exe_globs(node), leaning));
}

void read_depth_condition(const JsonNode& node, Leaning leaning, Conditions& conditions) {
    conditions.push_back(
        std::make_unique<DepthCondition>(read_ranges(node, "a number", "numbers"), leaning));
}

std::string lineage_text(const Lineage& lineage) {
    return !lineage.nearest && lineage.whole ? "nothing" : chain_text(lineage, " < ");
}

}  // namespace execseal
