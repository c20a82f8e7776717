#include "config/glob.h"

#include <re2/re2.h>

namespace execseal {
namespace {

// Translates one glob; the parse position runs through `pattern`.
class Translation {
  public:
    explicit Translation(std::string_view pattern) : pattern_(pattern) {}

    // False: `problem` says why.
    bool run() {
        while (at_ < pattern_.size()) {
            if (!step()) {
                return false;
            }
        }
        return true;
    }

    std::string source;
    std::string start;
    std::string problem;
    bool is_literal = true;
    bool stops_at_slash = false;

  private:
    bool step() {
        const char c = pattern_[at_];
        if (c == '*') {
            return stars();
        }
        if (c == '?') {
            ++at_;
            wild("[^/]");
            return true;
        }
        if (c == '[') {
            return set();
        }
        if (c == ']') {
            problem = "expected \"\\]\" or a \"[\" before the \"]\"";
            return false;
        }
        if (c == '\\') {
            if (++at_ == pattern_.size()) {
                problem = "expected a byte after the last \"\\\"";
                return false;
            }
        }
        byte(pattern_[at_++]);
        return true;
    }

    bool stars() {
        std::size_t count = 0;
        while (at_ < pattern_.size() && pattern_[at_] == '*') {
            ++count;
            ++at_;
        }
        if (count > 2) {
            problem = "expected * or **";
            return false;
        }
        if (count == 1) {
            wild("[^/]*");
            stops_at_slash = true;
            return true;
        }
        const bool starts_component = at_ == 2 || pattern_[at_ - 3] == '/';
        if (starts_component && at_ < pattern_.size() && pattern_[at_] == '/') {
            ++at_;
            wild("(?:.*/)?");  // "a/**/b" also means "a/b"
        } else {
            wild(".*");
        }
        return true;
    }

    bool set() {
        std::size_t end = at_ + 1;
        const bool negated =
            end < pattern_.size() && (pattern_[end] == '!' || pattern_[end] == '^');
        std::string members;
        if (negated) {
            ++end;
        }
        const std::size_t first = end;
        while (end < pattern_.size() && (pattern_[end] != ']' || end == first)) {
            if (pattern_[end] == '/' || pattern_[end] == '[' || pattern_[end] == '\\') {
                problem = "expected no \"/\", \"[\" or \"\\\" inside [...]";
                return false;
            }
            const bool range =
                end + 2 < pattern_.size() && pattern_[end + 1] == '-' && pattern_[end + 2] != ']';
            const auto low = static_cast<unsigned char>(pattern_[end]);
            const auto high = static_cast<unsigned char>(pattern_[range ? end + 2 : end]);
            if (low > high || (range && low <= '/' && high >= '/')) {
                problem = "expected an ascending range without \"/\" inside [...]";
                return false;
            }
            members += RE2::QuoteMeta(re2::StringPiece(&pattern_[end], 1));
            if (range) {
                members += '-' + RE2::QuoteMeta(re2::StringPiece(&pattern_[end + 2], 1));
            }
            end += range ? 3 : 1;
        }
        if (end >= pattern_.size()) {
            problem = "expected a \"]\" for the \"[\"";
            return false;
        }
        at_ = end + 1;
        wild(negated ? "[^/" + members + "]" : "[" + members + "]");
        return true;
    }

    void byte(char c) {
        if (is_literal) {
            start += c;
        }
        source += RE2::QuoteMeta(re2::StringPiece(&c, 1));
    }

    void wild(const std::string& regex) {
        is_literal = false;
        source += regex;
    }

    std::string_view pattern_;
    std::size_t at_ = 0;
};

}  // namespace

Result<Glob> Glob::compile(std::string_view pattern) {
    if (pattern.empty()) {
        return make_error("expected a non-empty glob");
    }
    Translation translation(pattern);
    if (!translation.run()) {
        return make_error("expected a valid glob: " + translation.problem);
    }
    Glob glob;
    glob.pattern_ = pattern;
    glob.source_ = std::move(translation.source);
    glob.stops_at_slash_ = translation.stops_at_slash;
    glob.start_ = std::move(translation.start);
    if (translation.is_literal) {
        return glob;
    }
    RE2::Options options(RE2::Latin1);
    options.set_dot_nl(true);
    options.set_log_errors(false);
    glob.regex_ = std::make_shared<const RE2>(glob.source_, options);
    if (!glob.regex_->ok()) {
        return make_error("expected a valid glob: " + glob.regex_->error());
    }
    return glob;
}

bool Glob::matches(std::string_view text) const {
    if (regex_ == nullptr) {
        return text == start_;
    }
    // RE2 needs six times as long to say no, and an "env" condition asks it of each variable.
    return text.starts_with(start_) &&
           RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *regex_);
}

}  // namespace execseal
