#include "hook/agent/stored_listener.h"

#include <charconv>
#include <string_view>
#include <vector>

namespace execseal {
namespace {

constexpr std::size_t kNameLimit = 255;
constexpr char kSeparator = ',';

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> fields;
    for (;;) {
        const auto end = text.find(kSeparator);
        fields.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return fields;
        }
        text.remove_prefix(end + 1);
    }
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
}

}  // namespace

std::optional<std::string> name_of_stored(const StoredListener& listener) {
    for (const std::string* field : {&listener.container_id, &listener.policy}) {
        if (field->find(kSeparator) != std::string::npos || field->find(':') != std::string::npos) {
            return std::nullopt;
        }
    }
    std::string name = listener.container_id + kSeparator + listener.policy + kSeparator +
                       std::to_string(listener.init.tid.value) + kSeparator +
                       std::to_string(listener.init.birth);
    if (listener.container_id.empty() || name.size() > kNameLimit) {
        return std::nullopt;
    }
    return name;
}

std::optional<StoredListener> parse_stored(const std::string& name) {
    const auto fields = split(name);
    StoredListener listener;
    if (fields.size() != 4 || fields[0].empty() ||
        !read_number(fields[2], listener.init.tid.value) ||
        !read_number(fields[3], listener.init.birth)) {
        return std::nullopt;
    }
    listener.container_id = fields[0];
    listener.policy = fields[1];
    return listener;
}

}  // namespace execseal
