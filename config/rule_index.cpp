#include "config/rule_index.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>

#include "config/policy_rules.h"

namespace execseal {

// Patterns of many rules, matched in one pass over a text.
class PatternSet {
  public:
    explicit PatternSet(RE2::Anchor anchor) : set_(options(), anchor) {}

    // False: the pattern (an RE2 source) cannot be part of the set.
    bool add(const std::string& source, RuleIndex::RuleNumber rule) {
        const int place = set_.Add(source, nullptr);
        if (place < 0) {
            return false;
        }
        rules_.push_back(rule);
        return true;
    }

    void compile() { usable_ = rules_.empty() || set_.Compile(); }
    [[nodiscard]] bool empty() const { return rules_.empty(); }

    // The rules of the patterns that match, in order; all rules if RE2 gave up (out of its memory
    // budget): too many candidates is slow, too few would be wrong.
    [[nodiscard]] std::vector<RuleIndex::RuleNumber> match(std::string_view text) const {
        std::vector<int> places;
        RE2::Set::ErrorInfo error{RE2::Set::kNoError};
        const bool matched =
            usable_ && set_.Match(re2::StringPiece(text.data(), text.size()), &places, &error);
        if (!matched && (!usable_ || error.kind != RE2::Set::kNoError)) {
            return rules_;
        }
        std::vector<RuleIndex::RuleNumber> rules;
        rules.reserve(places.size());
        for (const int place : places) {
            rules.push_back(rules_[static_cast<std::size_t>(place)]);
        }
        std::sort(rules.begin(), rules.end());
        return rules;
    }

  private:
    static RE2::Options options() {
        RE2::Options options(RE2::Latin1);
        options.set_dot_nl(true);
        options.set_log_errors(false);
        options.set_never_capture(true);
        return options;
    }

    RE2::Set set_;
    std::vector<RuleIndex::RuleNumber> rules_;  // by place in the set, ascending
    bool usable_ = false;
};

RuleIndex::RuleIndex()
    : exe_globs_(std::make_unique<PatternSet>(RE2::ANCHOR_BOTH)),
      argument_regexes_(std::make_unique<PatternSet>(RE2::UNANCHORED)) {}
RuleIndex::RuleIndex(RuleIndex&&) noexcept = default;
RuleIndex& RuleIndex::operator=(RuleIndex&&) noexcept = default;
RuleIndex::~RuleIndex() = default;

void RuleIndex::build(std::span<const CompiledRule> rules) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
        add(rules[i], static_cast<RuleNumber>(i));
    }
    exe_globs_->compile();
    argument_regexes_->compile();
}

void RuleIndex::add(const CompiledRule& rule, RuleNumber number) {
    const bool literal = std::all_of(rule.exe.begin(), rule.exe.end(),
                                     [](const Glob& glob) { return glob.is_literal(); });
    if (!rule.exe.empty() && literal) {
        for (const Glob& glob : rule.exe) {
            by_exe_[glob.literal()].push_back(number);
        }
        return;
    }
    for (const auto& condition : rule.conditions) {
        if (const std::vector<std::string>* const needed = condition->needed_arguments()) {
            for (const std::string& argument : *needed) {
                by_argument_[argument].push_back(number);
                longest_argument_ = std::max(longest_argument_, argument.size());
            }
            return;
        }
    }
    if (!rule.exe.empty()) {
        // RE2::Set takes the source only; a literal's is quoted.
        if (!std::all_of(rule.exe.begin(), rule.exe.end(), [&](const Glob& glob) {
                return exe_globs_->add(glob.regex_source(), number);
            })) {
            always_.push_back(number);
        }
        return;
    }
    for (const auto& condition : rule.conditions) {
        const std::vector<std::string>* const needed = condition->needed_regexes();
        if (needed != nullptr &&
            std::all_of(needed->begin(), needed->end(), [&](const std::string& source) {
                return argument_regexes_->add(source, number);
            })) {
            return;
        }
    }
    always_.push_back(number);
}

RuleCandidates::RuleCandidates(const RuleIndex& index, const ExecFacts& facts) {
    lists_.reserve(8);
    add(index.always_);
    std::vector<RuleIndex::RuleNumber> searched_out;
    const auto add_program = [&](const std::string& name) {
        add(index.by_exe_, name);
        if (!index.exe_globs_->empty()) {
            owned_.push_back(index.exe_globs_->match(name));
        }
    };
    for (const ProgramView& view : facts.views) {
        add_program(view.exe);
        std::for_each(view.names.begin(), view.names.end(), add_program);
        const bool searched = !index.argument_regexes_->empty();
        for (std::size_t i = 1; i < view.argv.size(); ++i) {
            if (view.argv[i].size() <= index.longest_argument_) {
                add(index.by_argument_, view.argv[i]);
            }
            if (searched) {
                const auto rules = index.argument_regexes_->match(view.argv[i]);
                searched_out.insert(searched_out.end(), rules.begin(), rules.end());
            }
        }
    }
    std::sort(searched_out.begin(), searched_out.end());
    searched_out.erase(std::unique(searched_out.begin(), searched_out.end()), searched_out.end());
    owned_.push_back(std::move(searched_out));
    for (const auto& rules : owned_) {
        add(rules);
    }
    // A command line that says one word ten thousand times must not make ten thousand lists.
    static constexpr std::size_t kMany = 32;
    if (lists_.size() > kMany) {
        std::sort(lists_.begin(), lists_.end(),
                  [](const auto& a, const auto& b) { return a.data() < b.data(); });
        lists_.erase(std::unique(lists_.begin(), lists_.end(),
                                 [](const auto& a, const auto& b) { return a.data() == b.data(); }),
                     lists_.end());
    }
}

void RuleCandidates::add(const RuleIndex::ByText& map, std::string_view key) {
    if (const auto found = map.find(key); found != map.end()) {
        add(found->second);
    }
}

void RuleCandidates::add(std::span<const RuleIndex::RuleNumber> rules) {
    if (!rules.empty()) {
        lists_.push_back(rules);
    }
}

std::optional<RuleIndex::RuleNumber> RuleCandidates::next() {
    std::optional<RuleIndex::RuleNumber> least;
    for (const auto& list : lists_) {
        if (!list.empty() && (!least || list.front() < *least)) {
            least = list.front();
        }
    }
    for (auto& list : lists_) {
        while (!list.empty() && list.front() == *least) {
            list = list.subspan(1);
        }
    }
    return least;
}

}  // namespace execseal
