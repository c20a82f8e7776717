#include "hook/cli/policy_text.h"

#include <optional>

namespace execseal {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kLine = 118;
constexpr std::size_t kStep = 4;

std::string inline_text(const ordered_json& json) {
    const bool array = json.is_array();
    if ((!array && !json.is_object()) || json.empty()) {
        return json.dump();
    }
    std::string text = array ? "[" : "{";
    bool first = true;
    for (const auto& [key, value] : json.items()) {
        text += first ? "" : ", ";
        first = false;
        text += (array ? "" : ordered_json(key).dump() + ": ") + inline_text(value);
    }
    return text + (array ? "]" : "}");
}

// `column`: where the text begins; `indent`: of the line that it stands in.
std::string text_of(const ordered_json& json, std::size_t indent, std::size_t column) {
    std::string line = inline_text(json);
    const bool structured = json.is_array() || json.is_object();
    if (!structured || json.empty() || column + line.size() < kLine) {
        return line;
    }
    const bool array = json.is_array();
    const std::string margin(indent + kStep, ' ');
    std::string text = array ? "[" : "{";
    bool first = true;
    for (const auto& [key, value] : json.items()) {
        const std::string name = array ? "" : ordered_json(key).dump() + ": ";
        text += (first ? "\n" : ",\n") + margin + name;
        first = false;
        text += text_of(value, indent + kStep, margin.size() + name.size());
    }
    return text + "\n" + std::string(indent, ' ') + (array ? "]" : "}");
}

// Where the "]" of the top level's "rules" is, and whether there are rules before it.
struct EndOfRules {
    std::size_t at = 0;
    bool empty = true;
};

// One pass over a JSON text that is known to be right.
std::optional<EndOfRules> end_of_rules(std::string_view text) {
    std::size_t depth = 0;
    bool in_rules = false;
    std::string_view key;
    EndOfRules end;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"') {
            const std::size_t start = i + 1;
            for (++i; i < text.size() && text[i] != '"'; ++i) {
                i += text[i] == '\\' ? 1 : 0;
            }
            if (depth == 1) {
                key = text.substr(start, i - start);
            }
        } else if (c == '{' || c == '[') {
            if (in_rules && depth == 2) {
                end.empty = false;
            }
            in_rules = in_rules || (c == '[' && depth == 1 && key == "rules");
            ++depth;
        } else if (c == '}' || c == ']') {
            --depth;
            if (in_rules && depth == 1) {
                end.at = i;
                return end;
            }
        }
    }
    return std::nullopt;
}

}  // namespace

std::string policy_text(const ordered_json& policy) {
    return text_of(policy, 0, kLine) + "\n";
}

Result<std::string> with_rules(std::string_view text, const std::vector<ordered_json>& rules) {
    const auto end = end_of_rules(text);
    if (!end) {
        return make_error("it has no \"rules\" to put more behind");
    }
    if (rules.empty()) {
        return std::string(text);
    }
    const std::size_t last = text.find_last_not_of(" \t\r\n", end->at - 1);
    std::string result(text.substr(0, last + 1));
    const std::string margin(kStep * 2, ' ');
    for (std::size_t i = 0; i < rules.size(); ++i) {
        result += (i == 0 && end->empty ? "\n" : ",\n") + margin +
                  text_of(rules[i], margin.size(), margin.size());
    }
    return result + "\n" + std::string(kStep, ' ') + std::string(text.substr(end->at));
}

}  // namespace execseal
