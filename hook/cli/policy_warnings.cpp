#include "hook/cli/policy_warnings.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "config/condition.h"
#include "config/glob.h"
#include "config/quote.h"
#include "hook/os/path_calls.h"

namespace execseal {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

bool refuses(const json& rule) {
    return rule["verdict"] == "deny" || rule["verdict"] == "kill";
}

Words words_of(const json& value) {
    return value.is_array() ? value.get<Words>() : Words{value.get<std::string>()};
}

bool is_any_path(const std::string& glob) {
    return glob == "**" || glob == "/**" || glob == "**/*" || glob == "/**/*";
}

bool is_any_pattern(const json& pattern) {
    if (!pattern.is_object()) {
        return false;
    }
    const auto regex = pattern.find("regex");
    return pattern.value("glob", "") == "**" ||
           (regex != pattern.end() && (*regex == ".*" || *regex == "^.*$" || *regex == "(?s).*"));
}

// Ids from 0 on without an end.
bool is_any_id(const json& ids) {
    static constexpr std::uint64_t kLastId = 4'294'967'294;
    const auto whole = [](const json& id) {
        return id.is_object() && id.value("min", std::uint64_t{0}) == 0 &&
               id.value("max", kLastId) == kLastId;
    };
    return ids.is_array() ? std::any_of(ids.begin(), ids.end(), whole) : whole(ids);
}

bool is_any_argv(const json& argv) {
    return std::all_of(argv.items().begin(), argv.items().end(), [](const auto& item) {
        const json& value = item.value();
        if (item.key() == "count") {
            return value.value("min", 0) == 0 && !value.contains("max");
        }
        return item.key() == "every" && std::any_of(value.begin(), value.end(), is_any_pattern);
    });
}

// A condition that holds for every exec; of a rule that lets pass, for every program with a path.
bool always_holds(const std::string& key, const json& value) {
    if (key == "exe" || key == "cwd") {
        const Words globs = words_of(value);
        return std::any_of(globs.begin(), globs.end(), is_any_path);
    }
    if (key == "uid" || key == "gid") {
        return is_any_id(value);
    }
    if (key == "via") {
        static constexpr std::array<std::string_view, 3> kWays{"entrypoint", "exec", "child"};
        const Words ways = words_of(value);
        return std::all_of(kWays.begin(), kWays.end(), [&](std::string_view way) {
            return std::find(ways.begin(), ways.end(), way) != ways.end();
        });
    }
    if (key == "argv") {
        return is_any_argv(value);
    }
    return key == "env_names" && std::find(value.begin(), value.end(), "*") != value.end();
}

bool is_condition(const std::string& key) {
    return key != "id" && key != "verdict" && key != "description" && key != "errno";
}

bool always_matches(const json& rule) {
    return std::all_of(rule.items().begin(), rule.items().end(), [](const auto& item) {
        return !is_condition(item.key()) || always_holds(item.key(), item.value());
    });
}

// Every path that one of `narrow` names is also one of `wide`, as far as this can be seen.
bool covers_paths(const json& wide, const json& narrow) {
    const Words few = words_of(narrow);
    const Words many = words_of(wide);
    return std::all_of(few.begin(), few.end(), [&](const std::string& name) {
        return std::any_of(many.begin(), many.end(), [&](const std::string& glob) {
            const auto pattern = Glob::compile(glob);
            const auto path = Glob::compile(name);
            return glob == name ||
                   (pattern && path && path->is_literal() && pattern->matches(path->literal()));
        });
    });
}

// Where `later` matches, `earlier` did: each condition of `earlier` stands in `later`, too.
bool covers(const json& earlier, const json& later) {
    // What a rule that lets pass does not see as its own, a rule that refuses may.
    if (!refuses(earlier) && refuses(later)) {
        return false;
    }
    return std::all_of(earlier.items().begin(), earlier.items().end(), [&](const auto& item) {
        const std::string& key = item.key();
        const auto same = later.find(key);
        if (!is_condition(key) || always_holds(key, item.value())) {
            return true;
        }
        if (same == later.end()) {
            return false;
        }
        return *same == item.value() ||
               ((key == "exe" || key == "cwd" || key == "parent" || key == "ancestor") &&
                covers_paths(item.value(), *same));
    });
}

void warn_of_rules_behind(const json& rules, Words& warnings) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
        for (std::size_t before = 0; before < i; ++before) {
            const bool always = always_matches(rules[before]);
            if (always || covers(rules[before], rules[i])) {
                warnings.push_back("/rules/" + std::to_string(i) + ": rule " +
                                   rules[i]["id"].get<std::string>() + " is never asked: rule " +
                                   rules[before]["id"].get<std::string>() + " before it " +
                                   (always ? "always matches" : "matches whatever it would match"));
                break;
            }
        }
    }
}

void warn_of_names_to_copy(const json& policy, const json& rules, Words& warnings) {
    if (policy["default"] != "allow" && policy["default"] != "audit") {
        return;
    }
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const auto exe = rules[i].find("exe");
        if (!refuses(rules[i]) || exe == rules[i].end() || always_holds("exe", *exe)) {
            continue;
        }
        const Words names = words_of(*exe);
        const bool list = exe->is_array() || names[0].find_first_of("*?[") != std::string::npos;
        if (list) {
            warnings.push_back("/rules/" + std::to_string(i) + "/exe: rule " +
                               rules[i]["id"].get<std::string>() +
                               " refuses by name where the default lets pass: a copy of the "
                               "program under another name gets around it");
        }
    }
}

// "^a|b$": its anchors are of one branch each.
bool has_branches(std::string_view regex) {
    int depth = 0;
    bool in_class = false;
    for (std::size_t at = 0; at < regex.size(); ++at) {
        const char letter = regex[at];
        if (letter == '\\') {
            ++at;
        } else if (in_class || letter == '[') {
            // A "]" that comes first in a class, or behind its "^", stands for itself.
            const std::string_view rest = regex.substr(at + 1);
            if (!in_class) {
                at += rest.starts_with("^]") ? 2 : rest.starts_with(']') ? 1 : 0;
            }
            in_class = letter != ']';
        } else if (letter == '|' && depth == 0) {
            return true;
        } else {
            depth += letter == '(' ? 1 : letter == ')' ? -1 : 0;
        }
    }
    return false;
}

bool is_anchored(const std::string& regex) {
    const auto begins = [&](std::string_view flags) {
        return regex.starts_with(std::string(flags) + "^") ||
               regex.starts_with(std::string(flags) + "\\A");
    };
    const bool start = begins("") || begins("(?i)") || begins("(?s)") || begins("(?is)");
    const bool end = (regex.ends_with('$') && !regex.ends_with("\\$")) || regex.ends_with("\\z");
    return start && end && !has_branches(regex);
}

void warn_of_regex(const json& pattern, const std::string& place, Leaning leaning,
                   Words& warnings) {
    if (leaning != Leaning::kLenient || !pattern.is_object() || !pattern.contains("regex")) {
        return;
    }
    const auto regex = pattern["regex"].get<std::string>();
    if (!is_anchored(regex)) {
        warnings.push_back(
            place + "/regex: " + execseal::quoted(regex) +
            " has no anchors: where a match lets pass it must match the whole; write "
            "it as ^...$, so that it says so");
    }
}

void warn_of_regexes(const json& conditions, const std::string& place, Leaning leaning,
                     Words& warnings) {
    for (const auto& [key, value] : conditions.items()) {
        const std::string at = place + "/" + key;
        if (key == "argv") {
            for (const auto& [form, patterns] : value.items()) {
                const Leaning inner = form == "none" ? opposite(leaning) : leaning;
                if (form == "count" || form == "flag" || form == "subcommand") {
                    continue;
                }
                for (const auto& [index, pattern] : patterns.items()) {
                    warn_of_regex(pattern, at + "/" + form + "/" + index, inner, warnings);
                }
            }
        } else if (key == "env") {
            for (const auto& [name, pattern] : value.items()) {
                warn_of_regex(pattern, at + "/" + name, leaning, warnings);
            }
        } else if (key == "not") {
            warn_of_regexes(value, at, opposite(leaning), warnings);
        }
    }
}

// Where a name leads to that a link of the container takes elsewhere, as the kernel resolves it.
class Root {
  public:
    static Result<Root> open(const std::string& path) {
        auto root = open_own_path(path);
        if (!root) {
            return root.error();
        }
        auto name = name_of(root->get());
        if (!name) {
            return name.error();
        }
        return Root(std::move(*root), *name == "/" ? "" : *name);
    }

    // nullopt where there is no such file.
    [[nodiscard]] std::optional<std::string> resolved(const std::string& path) const {
        const auto file = open_scoped(root_.get(), path, Scope::kInRoot);
        const auto name = file ? name_of(file->get()) : Result<std::string>(file.error());
        if (!name || !name->starts_with(name_ + "/")) {
            return std::nullopt;
        }
        return name->substr(name_.size());
    }

  private:
    Root(UniqueFd root, std::string name) : root_(std::move(root)), name_(std::move(name)) {}

    UniqueFd root_;
    std::string name_;
};

// The part of a glob before its first wildcard that is whole components: "/bin" of "/bin/*".
std::string fixed_part(const std::string& glob) {
    const std::size_t wild = glob.find_first_of("*?[\\");
    if (wild == std::string::npos) {
        return glob;
    }
    const std::size_t slash = glob.rfind('/', wild);
    return slash == std::string::npos ? "" : glob.substr(0, slash);
}

bool is_named_by(const std::string& glob, const std::string& path) {
    const auto compiled = Glob::compile(glob);
    return glob == path || (compiled && compiled->matches(path));
}

// Names of a rule that lets pass: resolved ones only.
void warn_of_name(const Words& names, std::size_t index, const std::string& place, const Root* root,
                  Words& warnings) {
    const std::string& name = names[index];
    for (const char* magic : {"/proc/self/", "/proc/thread-self/", "/dev/fd/", "/dev/stdin"}) {
        if (name.starts_with(magic)) {
            warnings.push_back(place + ": " + execseal::quoted(name) +
                               " never matches: the program is judged by the file behind it");
            return;
        }
    }
    const std::string fixed = fixed_part(name);
    if (root == nullptr || !fixed.starts_with('/')) {
        return;
    }
    const auto target = root->resolved(fixed);
    if (!target || *target == fixed) {
        return;
    }
    const std::string meant = *target + name.substr(fixed.size());
    const bool said = std::any_of(names.begin(), names.end(), [&](const std::string& other) {
        return is_named_by(other, meant);
    });
    if (!said) {
        warnings.push_back(
            place + ": " + execseal::quoted(name) + " never matches: " + execseal::quoted(fixed) +
            " is a link in this root file system, the program is " + execseal::quoted(meant));
    }
}

void warn_of_names(const json& conditions, const std::string& place, Leaning leaning,
                   const Root* root, Words& warnings) {
    for (const char* const key : {"exe", "parent", "ancestor"}) {
        const auto globs = conditions.find(key);
        if (globs == conditions.end() || leaning != Leaning::kLenient) {
            continue;
        }
        const Words names = words_of(*globs);
        for (std::size_t i = 0; i < names.size(); ++i) {
            const std::string at =
                place + "/" + key + (globs->is_array() ? "/" + std::to_string(i) : "");
            warn_of_name(names, i, at, root, warnings);
        }
    }
    const auto negated = conditions.find("not");
    if (negated != conditions.end()) {
        warn_of_names(*negated, place + "/not", opposite(leaning), root, warnings);
    }
}

}  // namespace

std::vector<std::string> policy_warnings(const json& policy, const std::string& rootfs) {
    Words warnings;
    const auto rules = policy.find("rules");
    if (rules == policy.end()) {
        return warnings;
    }
    std::optional<Root> root;
    if (!rootfs.empty()) {
        auto opened = Root::open(rootfs);
        if (!opened) {
            warnings.push_back("--rootfs " + rootfs + ": " + opened.error().text());
        } else {
            root.emplace(std::move(*opened));
        }
    }
    warn_of_rules_behind(*rules, warnings);
    for (std::size_t i = 0; i < rules->size(); ++i) {
        const json& rule = (*rules)[i];
        const Leaning leaning = refuses(rule) ? Leaning::kStrict : Leaning::kLenient;
        const std::string place = "/rules/" + std::to_string(i);
        warn_of_names(rule, place, leaning, root ? &*root : nullptr, warnings);
        warn_of_regexes(rule, place, leaning, warnings);
    }
    warn_of_names_to_copy(policy, *rules, warnings);
    return warnings;
}

}  // namespace execseal
