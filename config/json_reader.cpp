#include "config/json_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "execseal_version.h"

namespace execseal {

using Json = nlohmann::ordered_json;

namespace {

const char* kind_name(JsonNode::Kind kind) {
    switch (kind) {
        case JsonNode::Kind::kNull:
            return "null";
        case JsonNode::Kind::kBoolean:
            return "a boolean";
        case JsonNode::Kind::kNumber:
            return "a number";
        case JsonNode::Kind::kString:
            return "a string";
        case JsonNode::Kind::kArray:
            return "an array";
        case JsonNode::Kind::kObject:
            return "an object";
    }
    return "nothing";
}

std::string join(std::initializer_list<std::string_view> words, std::string_view quote) {
    std::string text;
    std::size_t left = words.size();
    for (const std::string_view word : words) {
        text.append(quote).append(word).append(quote);
        --left;
        if (left > 0) {
            text += left == 1 ? " or " : ", ";
        }
    }
    return text;
}

}  // namespace

void JsonProblems::report(std::string_view pointer, std::string_view text) {
    if (!first_) {
        first_ = make_error(origin_ + ": " + std::string(pointer.empty() ? "/" : pointer) + ": " +
                            std::string(text));
    }
}

JsonNode::Kind JsonNode::kind() const {
    if (value_->is_boolean()) {
        return Kind::kBoolean;
    }
    if (value_->is_number()) {
        return Kind::kNumber;
    }
    if (value_->is_string()) {
        return Kind::kString;
    }
    if (value_->is_array()) {
        return Kind::kArray;
    }
    if (value_->is_object()) {
        return Kind::kObject;
    }
    return Kind::kNull;
}

void JsonNode::problem(std::string_view text) const {
    problems_->report(pointer_, text);
}

void JsonNode::expected(std::string_view what) const {
    std::string text = "expected " + std::string(what) + ", got ";
    if (kind() == Kind::kString || kind() == Kind::kNumber || kind() == Kind::kBoolean) {
        // The value itself says more than its kind, as long as it stays one short line.
        std::string value = value_->dump(-1, ' ', true, Json::error_handler_t::replace);
        if (value.size() > 80) {
            value = value.substr(0, 80) + "...";
        }
        text +=
            kind() == Kind::kString ? value : std::string(kind_name(kind())) + " (" + value + ")";
    } else if ((kind() == Kind::kArray || kind() == Kind::kObject) && value_->empty()) {
        text += kind() == Kind::kArray ? "an empty array" : "an empty object";
    } else {
        text += kind_name(kind());
    }
    problem(text);
}

bool JsonNode::boolean() const {
    if (!value_->is_boolean()) {
        expected("true or false");
        return false;
    }
    return value_->get<bool>();
}

std::int64_t JsonNode::integer(std::int64_t least, std::int64_t most) const {
    // Unsigned beyond int64 would wrap in get<int64>; no bound of ours reaches that far.
    const bool fits = value_->is_number_integer() &&
                      (!value_->is_number_unsigned() ||
                       value_->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
    if (fits) {
        const auto value = value_->get<std::int64_t>();
        if (value >= least && value <= most) {
            return value;
        }
    }
    expected("an integer from " + std::to_string(least) + " to " + std::to_string(most));
    return least;
}

std::string JsonNode::string(std::string_view what) const {
    if (!value_->is_string()) {
        expected(what);
        return {};
    }
    const auto& text = value_->get_ref<const std::string&>();
    if (text.find('\0') != std::string::npos) {
        problem("expected " + std::string(what) + " without NUL characters");
        return {};
    }
    return text;
}

std::string JsonNode::non_empty_string(std::string_view what) const {
    std::string text = string(what);
    if (text.empty()) {
        expected(what);  // a no-op if string() has reported already
    }
    return text;
}

std::size_t JsonNode::choice(std::initializer_list<std::string_view> words) const {
    if (value_->is_string()) {
        const auto& text = value_->get_ref<const std::string&>();
        const auto* const found = std::find(words.begin(), words.end(), text);
        if (found != words.end()) {
            return static_cast<std::size_t>(found - words.begin());
        }
    }
    expected(join(words, "\""));
    return 0;
}

std::vector<JsonNode> JsonNode::items(std::string_view what) const {
    std::vector<JsonNode> nodes;
    if (!value_->is_array()) {
        expected(what);
        return nodes;
    }
    nodes.reserve(value_->size());
    for (std::size_t i = 0; i < value_->size(); ++i) {
        nodes.push_back(child((*value_)[i], std::to_string(i)));
    }
    return nodes;
}

std::vector<JsonNode> JsonNode::non_empty_items(std::string_view what) const {
    std::vector<JsonNode> nodes = items(what);
    if (nodes.empty()) {
        expected(what);
    }
    return nodes;
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::members(std::string_view what) const {
    std::vector<std::pair<std::string, JsonNode>> nodes;
    if (!value_->is_object()) {
        expected(what);
        return nodes;
    }
    nodes.reserve(value_->size());
    for (const auto& [key, value] : value_->get_ref<const Json::object_t&>()) {
        nodes.emplace_back(key, child(value, key));
    }
    return nodes;
}

JsonObject JsonNode::object(std::initializer_list<std::string_view> known) const {
    if (!value_->is_object()) {
        expected("an object");
        return JsonObject(*this);
    }
    for (const auto& [key, value] : value_->get_ref<const Json::object_t&>()) {
        if (std::find(known.begin(), known.end(), key) == known.end()) {
            child(value, key)
                .problem("unknown key, expected " + join(known, "") + "; this is execseal " +
                         kVersion);
        }
    }
    return JsonObject(*this);
}

JsonNode JsonNode::child(const Json& value, std::string_view key) const {
    std::string pointer = pointer_;
    pointer += '/';
    for (const char c : key) {
        // RFC 6901, section 3.
        if (c == '~') {
            pointer += "~0";
        } else if (c == '/') {
            pointer += "~1";
        } else {
            pointer += c;
        }
    }
    return {value, *problems_, std::move(pointer)};
}

std::optional<JsonNode> JsonObject::get(std::string_view key) const {
    if (!node_.value_->is_object()) {
        return std::nullopt;  // reported by JsonNode::object()
    }
    for (const auto& [name, value] : node_.value_->get_ref<const Json::object_t&>()) {
        if (name == key) {
            return node_.child(value, key);
        }
    }
    return std::nullopt;
}

std::optional<JsonNode> JsonObject::require(std::string_view key) const {
    std::optional<JsonNode> node = get(key);
    if (!node && node_.value_->is_object()) {
        node_.problem("expected a key \"" + std::string(key) + "\"");
    }
    return node;
}

}  // namespace execseal
