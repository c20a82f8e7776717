#include "config/pattern.h"

#include <re2/re2.h>

#include <optional>

#include "config/quote.h"
#include "hook/os/hex.h"

namespace execseal {
namespace {

// Empty after a problem.
std::string read_hex(const JsonNode& node) {
    const std::string text = node.string("lower-case hex digits");
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        const auto high = hex_digit(text[i]);
        const auto low = hex_digit(text[i + 1]);
        if (!high || !low || (*high == 0 && *low == 0)) {
            node.expected("an even number of lower-case hex digits, no byte of them 00");
            return {};
        }
        bytes += static_cast<char>(*high * 16 + *low);
    }
    if (text.size() % 2 != 0) {
        node.expected("an even number of lower-case hex digits, no byte of them 00");
    }
    return bytes;
}

}  // namespace

Pattern Pattern::read(const JsonNode& node, Leaning leaning) {
    static constexpr std::string_view kForms =
        "a string, {\"glob\": ...}, {\"regex\": ...} or {\"hex\": ...}";
    Pattern pattern;
    pattern.leaning_ = leaning;
    if (node.kind() == JsonNode::Kind::kString) {
        pattern.kind_ = Kind::kLiteral;
        pattern.source_ = node.string();
        return pattern;
    }
    const auto members = node.members(kForms);
    if (members.size() != 1) {
        node.expected(kForms);
        return pattern;
    }
    const auto& [form, value] = members.front();
    if (form == "glob") {
        pattern.read_glob(value, leaning);
    } else if (form == "regex") {
        pattern.read_regex(value);
    } else if (form == "hex") {
        pattern.kind_ = Kind::kLiteral;
        pattern.source_ = read_hex(value);
    } else {
        value.problem("unknown key, expected glob, regex or hex");
    }
    return pattern;
}

void Pattern::read_glob(const JsonNode& node, Leaning leaning) {
    source_ = node.string("a glob");
    Result<Glob> glob = Glob::compile(source_);
    if (!glob) {
        node.problem(glob.error().context);
        return;
    }
    if (leaning == Leaning::kStrict && glob->stops_at_slash()) {
        node.problem(
            "expected ** where a match refuses: * stops at \"/\", so a value with a \"/\" "
            "would slip by (or write a regex)");
        return;
    }
    glob_ = std::move(glob).value();
    kind_ = Kind::kGlob;
}

void Pattern::read_regex(const JsonNode& node) {
    source_ = node.non_empty_string("an RE2 regular expression");
    RE2::Options options(RE2::Latin1);  // bytes: an argument need not be UTF-8
    options.set_dot_nl(true);           // a newline in an argument must not end ".*"
    options.set_log_errors(false);
    options.set_never_capture(true);
    auto regex = std::make_shared<const RE2>(source_, options);
    if (!regex->ok()) {
        node.problem("expected a valid RE2 regular expression: " + regex->error());
        return;
    }
    regex_ = std::move(regex);
    kind_ = Kind::kRegex;
}

bool Pattern::matches(std::string_view bytes) const {
    switch (kind_) {
        case Kind::kNothing:
            return false;
        case Kind::kLiteral:
            return bytes == source_;
        case Kind::kGlob:
            return glob_.matches(bytes);
        case Kind::kRegex:
            return regex_->Match(re2::StringPiece(bytes.data(), bytes.size()), 0, bytes.size(),
                                 leaning_ == Leaning::kLenient ? RE2::ANCHOR_BOTH : RE2::UNANCHORED,
                                 nullptr, 0);
    }
    return false;
}

namespace {

// The bytes of a glob that matches nothing else; the empty one is no glob, and matches nothing
// more.
std::optional<std::string> literal_glob(std::string_view pattern) {
    if (pattern.empty()) {
        return "";
    }
    const auto glob = Glob::compile(pattern);
    return glob && glob->is_literal() ? std::optional(glob->literal()) : std::nullopt;
}

// Whether the glob is "START**END" for texts with such a beginning and end.
bool is_open_between(std::string_view pattern, std::string_view before, std::string_view after) {
    static constexpr std::string_view kRest = "**";
    const std::size_t at = pattern.find(kRest);
    if (at == std::string_view::npos) {
        return false;
    }
    const auto start = literal_glob(pattern.substr(0, at));
    const auto end = literal_glob(pattern.substr(at + kRest.size()));
    return start && end && before.starts_with(*start) && after.ends_with(*end);
}

// Whether no text that begins with `before` can match all of `source`.
bool excludes_beginning(const std::string& source, std::string_view before) {
    RE2::Options options(RE2::Latin1);
    options.set_dot_nl(true);
    options.set_log_errors(false);
    const RE2 anchored("^(?:" + source + ")", options);
    std::string least;
    std::string most;
    static constexpr int kCompared = 64;
    if (!anchored.ok() || !anchored.PossibleMatchRange(&least, &most, kCompared)) {
        return false;
    }
    return before > most || (before < least && !std::string_view(least).starts_with(before));
}

}  // namespace

std::optional<bool> Pattern::matches_around(std::string_view before, std::string_view after) const {
    const auto never = [](bool excluded) { return excluded ? std::optional(false) : std::nullopt; };
    switch (kind_) {
        case Kind::kNothing:
            return false;
        case Kind::kLiteral:
            return never(source_.size() < before.size() + after.size() ||
                         !source_.starts_with(before) || !source_.ends_with(after));
        case Kind::kGlob:
            if (is_open_between(source_, before, after)) {
                return true;
            }
            return never(excludes_beginning(glob_.regex_source(), before));
        case Kind::kRegex:
            return leaning_ == Leaning::kLenient ? never(excludes_beginning(source_, before))
                                                 : std::nullopt;
    }
    return std::nullopt;
}

const std::string* Pattern::literal() const {
    return kind_ == Kind::kLiteral ? &source_ : nullptr;
}

std::string Pattern::search_source() const {
    const auto anchored = [](const std::string& source) { return "\\A(?:" + source + ")\\z"; };
    switch (kind_) {
        case Kind::kNothing:
            return anchored("[^\\x00-\\xff]");
        case Kind::kLiteral:
            return anchored(RE2::QuoteMeta(source_));
        case Kind::kGlob:
            return anchored(glob_.regex_source());
        case Kind::kRegex:
            return leaning_ == Leaning::kLenient ? anchored(source_) : "(?:" + source_ + ")";
    }
    return "";
}

std::string Pattern::text() const {
    switch (kind_) {
        case Kind::kNothing:
            return "nothing";
        case Kind::kLiteral:
            return quoted(source_);
        case Kind::kGlob:
            return "glob " + quoted(source_);
        case Kind::kRegex:
            return "regex " + quoted(source_);
    }
    return "nothing";
}

}  // namespace execseal
