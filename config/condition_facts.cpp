#include "config/condition_facts.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "config/quote.h"

namespace execseal {
namespace {

// Paths that the supervisor reports are resolved: these would never match.
bool is_resolved(std::string_view pattern) {
    const std::string closed = std::string(pattern) + '/';
    return closed.find("//") == std::string::npos && closed.find("/./") == std::string::npos &&
           closed.find("/../") == std::string::npos;
}

enum class PathKind { kExe, kCwd };

class PathCondition final : public Condition {
  public:
    PathCondition(PathKind kind, std::vector<Glob> globs, Leaning leaning)
        : kind_(kind), globs_(std::move(globs)), leaning_(leaning) {}

    [[nodiscard]] bool holds(const ProgramView& view, const ExecFacts& facts) const override {
        return matching(view, facts).has_value();
    }
    [[nodiscard]] std::string text() const override {
        return name() + (globs_.size() == 1 ? " matches " : " matches one of ") +
               globs_text(globs_);
    }
    [[nodiscard]] std::string reason(const ProgramView& view,
                                     const ExecFacts& facts) const override {
        const auto match = matching(view, facts);
        if (!match) {
            return text();
        }
        const auto& [glob, path] = *match;
        return glob->is_literal()
                   ? name() + " is " + quoted(glob->literal())
                   : name() + " " + quoted(*path) + " matches " + quoted(glob->pattern());
    }
    [[nodiscard]] std::string found(const ProgramView& view,
                                    const ExecFacts& facts) const override {
        std::string text = name() + " is " + quoted(subject(view, facts));
        if (leaning_ == Leaning::kStrict) {
            for (const std::string& other : other_names(view, facts)) {
                text += " or " + quoted(other);
            }
        } else if (is_loose(view)) {
            text += " only as long as nobody changes the link " + quoted(view.loose_link);
        }
        return text;
    }
    [[nodiscard]] Binding binding() const override {
        return kind_ == PathKind::kExe ? Binding::kFile : Binding::kArguments;
    }
    [[nodiscard]] bool sees_arguments() const override { return false; }
    [[nodiscard]] bool sees_names() const override { return leaning_ == Leaning::kStrict; }
    [[nodiscard]] bool overlooks(const Gap& /*gap*/) const override { return true; }
    void add_env_names(std::vector<std::string>& /*names*/) const override {}

  private:
    [[nodiscard]] std::string name() const { return kind_ == PathKind::kExe ? "exe" : "cwd"; }
    [[nodiscard]] const std::string& subject(const ProgramView& view,
                                             const ExecFacts& facts) const {
        return kind_ == PathKind::kExe ? view.exe : facts.cwd;
    }
    [[nodiscard]] const std::vector<std::string>& other_names(const ProgramView& view,
                                                              const ExecFacts& facts) const {
        return kind_ == PathKind::kExe ? view.names : facts.cwd_names;
    }
    [[nodiscard]] bool is_loose(const ProgramView& view) const {
        return kind_ == PathKind::kExe && !view.loose_link.empty();
    }

    struct Match {
        const Glob* glob;
        const std::string* path;
    };
    [[nodiscard]] std::optional<Match> matching(const std::string& path) const {
        const auto found = std::find_if(globs_.begin(), globs_.end(), [&](const Glob& glob) {
            return names_program(glob, path, leaning_);
        });
        return found == globs_.end() ? std::nullopt : std::optional(Match{&*found, &path});
    }
    // What refuses is matched by any name, what lets pass by the one that cannot mean another file.
    [[nodiscard]] std::optional<Match> matching(const ProgramView& view,
                                                const ExecFacts& facts) const {
        if (leaning_ == Leaning::kLenient) {
            return is_loose(view) ? std::nullopt : matching(subject(view, facts));
        }
        if (auto match = matching(subject(view, facts))) {
            return match;
        }
        for (const std::string& other : other_names(view, facts)) {
            if (auto match = matching(other)) {
                return match;
            }
        }
        return std::nullopt;
    }

    PathKind kind_;
    std::vector<Glob> globs_;
    Leaning leaning_;
};

class IdCondition final : public Condition {
  public:
    IdCondition(IdKind kind, std::vector<NumberRange> ranges)
        : kind_(kind), ranges_(std::move(ranges)) {}

    [[nodiscard]] bool holds(const ProgramView& /*view*/, const ExecFacts& facts) const override {
        const std::int64_t id = subject(facts);
        return std::any_of(ranges_.begin(), ranges_.end(), [&](const NumberRange& range) {
            return id >= range.least && id <= range.most;
        });
    }
    [[nodiscard]] std::string text() const override {
        return name() + " is " + ranges_text(ranges_);
    }
    [[nodiscard]] std::string found(const ProgramView& /*view*/,
                                    const ExecFacts& facts) const override {
        return name() + " is " + std::to_string(subject(facts));
    }
    [[nodiscard]] Binding binding() const override { return Binding::kNone; }
    [[nodiscard]] bool sees_arguments() const override { return false; }
    [[nodiscard]] bool sees_names() const override { return false; }
    [[nodiscard]] bool overlooks(const Gap& /*gap*/) const override { return true; }
    void add_env_names(std::vector<std::string>& /*names*/) const override {}

  private:
    [[nodiscard]] std::string name() const { return kind_ == IdKind::kUid ? "uid" : "gid"; }
    [[nodiscard]] std::int64_t subject(const ExecFacts& facts) const {
        return kind_ == IdKind::kUid ? facts.uid : facts.gid;
    }

    IdKind kind_;
    std::vector<NumberRange> ranges_;
};

class ViaCondition final : public Condition {
  public:
    explicit ViaCondition(std::vector<Via> ways) : ways_(std::move(ways)) {}

    [[nodiscard]] bool holds(const ProgramView& /*view*/, const ExecFacts& facts) const override {
        return std::find(ways_.begin(), ways_.end(), facts.via) != ways_.end();
    }
    [[nodiscard]] std::string text() const override {
        std::string text = "via is ";
        for (std::size_t i = 0; i < ways_.size(); ++i) {
            text += std::string(i == 0 ? "" : " or ") + via_name(ways_[i]);
        }
        return text;
    }
    [[nodiscard]] std::string found(const ProgramView& /*view*/,
                                    const ExecFacts& facts) const override {
        return std::string("via is ") + via_name(facts.via);
    }
    [[nodiscard]] Binding binding() const override { return Binding::kNone; }
    [[nodiscard]] bool sees_arguments() const override { return false; }
    [[nodiscard]] bool sees_names() const override { return false; }
    [[nodiscard]] bool overlooks(const Gap& /*gap*/) const override { return true; }
    void add_env_names(std::vector<std::string>& /*names*/) const override {}

  private:
    std::vector<Via> ways_;
};

class NotCondition final : public Condition {
  public:
    explicit NotCondition(Conditions conditions) : conditions_(std::move(conditions)) {}

    [[nodiscard]] bool holds(const ProgramView& view, const ExecFacts& facts) const override {
        return std::any_of(conditions_.begin(), conditions_.end(),
                           [&](const auto& condition) { return !condition->holds(view, facts); });
    }
    [[nodiscard]] std::string text() const override {
        std::string text = "not (";
        for (std::size_t i = 0; i < conditions_.size(); ++i) {
            text += (i == 0 ? "" : ", ") + conditions_[i]->text();
        }
        return text + ")";
    }
    [[nodiscard]] std::string found(const ProgramView& view,
                                    const ExecFacts& facts) const override {
        std::string text;
        for (const auto& condition : conditions_) {
            text += (text.empty() ? "" : ", ") + condition->found(view, facts);
        }
        return text;
    }
    [[nodiscard]] Binding binding() const override {
        Binding most = Binding::kNone;
        for (const auto& condition : conditions_) {
            most = std::max(most, condition->binding());
        }
        return most;
    }
    void add_env_names(std::vector<std::string>& names) const override {
        for (const auto& condition : conditions_) {
            condition->add_env_names(names);
        }
    }
    [[nodiscard]] bool sees_arguments() const override {
        return std::any_of(conditions_.begin(), conditions_.end(),
                           [](const auto& condition) { return condition->sees_arguments(); });
    }
    [[nodiscard]] bool sees_names() const override {
        return std::any_of(conditions_.begin(), conditions_.end(),
                           [](const auto& condition) { return condition->sees_names(); });
    }
    [[nodiscard]] bool sees_lineage() const override {
        return std::any_of(conditions_.begin(), conditions_.end(),
                           [](const auto& condition) { return condition->sees_lineage(); });
    }
    [[nodiscard]] bool overlooks(const Gap& gap) const override {
        return std::all_of(conditions_.begin(), conditions_.end(),
                           [&](const auto& condition) { return condition->overlooks(gap); });
    }

  private:
    Conditions conditions_;
};

// {a,b} as a shell takes it; in a glob these are bytes of a name that hardly any file has.
bool has_braces(std::string_view pattern) {
    const std::size_t open = pattern.find('{');
    if (open == std::string_view::npos || (open > 0 && pattern[open - 1] == '\\')) {
        return false;
    }
    const std::size_t comma = pattern.find(',', open);
    return comma != std::string_view::npos && pattern.find('}', comma) != std::string_view::npos;
}

std::vector<Glob> read_globs(const JsonNode& node, PathKind kind) {
    const std::string_view what =
        kind == PathKind::kExe
            ? "an absolute path or glob (\"/usr/bin/git\", \"/usr/bin/*\", \"**/git\") or "
              "\"memfd:NAME\""
            : "an absolute path or glob (\"/srv/app\", \"/srv/**\")";
    std::vector<JsonNode> items;
    if (node.kind() == JsonNode::Kind::kArray) {
        items = node.non_empty_items("a non-empty array of globs");
    } else {
        items.push_back(node);
    }
    std::vector<Glob> globs;
    for (const JsonNode& item : items) {
        const std::string pattern = item.non_empty_string(what);
        const bool rooted = pattern.starts_with('/') || pattern.starts_with("**") ||
                            (kind == PathKind::kExe && (pattern.starts_with("memfd:") ||
                                                        pattern.starts_with("unreachable:/") ||
                                                        pattern.starts_with("other-mounts:/")));
        if (!rooted) {
            item.expected(what);
        }
        const bool is_root = pattern == "/" && kind == PathKind::kCwd;
        if (!is_root && (pattern.ends_with('/') || !is_resolved(pattern))) {
            item.problem(
                "expected a resolved path, without \"//\", \".\", \"..\" and a \"/\" at "
                "its end");
        }
        if (has_braces(pattern)) {
            item.expected("an array of globs for {a,b} (\"\\\\{\" is the byte itself)");
        }
        Result<Glob> glob = Glob::compile(pattern);
        if (!glob) {
            item.problem(glob.error().context);
            continue;
        }
        globs.push_back(std::move(glob).value());
    }
    return globs;
}

NumberRange read_range(const JsonNode& node, const std::string& what) {
    static constexpr std::int64_t kLastId = 4'294'967'294;  // -1 is "no id", setresuid(2)
    if (node.kind() == JsonNode::Kind::kNumber) {
        const std::int64_t id = node.integer(0, kLastId);
        return {id, id};
    }
    if (node.kind() != JsonNode::Kind::kObject) {
        node.expected(what + ", {\"min\": n, \"max\": n} or a non-empty array of these");
        return {0, 0};
    }
    const JsonObject object = node.object({"min", "max"});
    const auto min = object.get("min");
    const auto max = object.get("max");
    if (!min && !max) {
        node.expected("an object with min or max");
    }
    const NumberRange range{min ? min->integer(0, kLastId) : 0,
                            max ? max->integer(0, kLastId) : kLastId};
    if (range.least > range.most) {
        node.problem("expected min to be at most max");
    }
    return range;
}

}  // namespace

std::vector<Glob> read_exe_globs(const JsonNode& node) {
    return read_globs(node, PathKind::kExe);
}

std::string globs_text(const std::vector<Glob>& globs) {
    static constexpr std::size_t kListed = 8;
    std::string text;
    for (std::size_t i = 0; i < globs.size(); ++i) {
        text += i == 0 ? "" : ", ";
        if (i == kListed) {
            return text + "... (" + std::to_string(globs.size()) + " in all)";
        }
        text += quoted(globs[i].pattern());
    }
    return text;
}

bool names_program(const Glob& glob, const std::string& path, Leaning leaning) {
    static constexpr std::string_view kDeleted = " (deleted)";
    if (!glob.matches(path)) {
        return false;
    }
    if (leaning == Leaning::kStrict || glob.is_literal()) {
        return true;
    }
    const bool seen = path.starts_with('/') || !glob.pattern().starts_with("**");
    return seen && (!path.ends_with(kDeleted) || glob.pattern().ends_with(kDeleted));
}

std::vector<NumberRange> read_ranges(const JsonNode& node, const std::string& one,
                                     const std::string& many) {
    std::vector<NumberRange> ranges;
    if (node.kind() == JsonNode::Kind::kArray) {
        for (const JsonNode& item : node.non_empty_items("a non-empty array of " + many)) {
            ranges.push_back(read_range(item, one));
        }
    } else {
        ranges.push_back(read_range(node, one));
    }
    return ranges;
}

std::string ranges_text(const std::vector<NumberRange>& ranges) {
    std::string text;
    for (const NumberRange& range : ranges) {
        text += (text.empty() ? "" : " or ") + std::to_string(range.least);
        if (range.least != range.most) {
            text += " to " + std::to_string(range.most);
        }
    }
    return text;
}

std::vector<Glob> read_exe_condition(const JsonNode& node, Leaning leaning,
                                     Conditions& conditions) {
    std::vector<Glob> globs = read_globs(node, PathKind::kExe);
    conditions.push_back(std::make_unique<PathCondition>(PathKind::kExe, globs, leaning));
    return globs;
}

void read_cwd_condition(const JsonNode& node, Leaning leaning, Conditions& conditions) {
    conditions.push_back(
        std::make_unique<PathCondition>(PathKind::kCwd, read_globs(node, PathKind::kCwd), leaning));
}

void read_id_condition(const JsonNode& node, IdKind kind, Conditions& conditions) {
    conditions.push_back(std::make_unique<IdCondition>(kind, read_ranges(node, "an id", "ids")));
}

void read_via_condition(const JsonNode& node, Conditions& conditions) {
    static constexpr Via kWays[] = {Via::kEntrypoint, Via::kExec, Via::kChild};
    std::vector<Via> ways;
    const auto read = [&](const JsonNode& item) {
        ways.push_back(kWays[item.choice({"entrypoint", "exec", "child"})]);
    };
    if (node.kind() == JsonNode::Kind::kArray) {
        for (const JsonNode& item : node.non_empty_items("a non-empty array of ways")) {
            read(item);
        }
    } else {
        read(node);
    }
    conditions.push_back(std::make_unique<ViaCondition>(std::move(ways)));
}

std::unique_ptr<const Condition> negation(Conditions conditions) {
    return std::make_unique<NotCondition>(std::move(conditions));
}

const char* via_name(Via via) {
    switch (via) {
        case Via::kChild:
            return "child";
        case Via::kEntrypoint:
            return "entrypoint";
        case Via::kExec:
            return "exec";
    }
    return "child";
}

std::optional<Via> via_named(std::string_view name) {
    for (const Via via : {Via::kEntrypoint, Via::kExec, Via::kChild}) {
        if (name == via_name(via)) {
            return via;
        }
    }
    return std::nullopt;
}

}  // namespace execseal
