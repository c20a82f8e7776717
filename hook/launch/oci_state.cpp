#include "hook/launch/oci_state.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "config/json_reader.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

// An object with members that are not ours to check; absent members give nullptr.
const ordered_json* find(const ordered_json& object, const char* key) {
    const auto member = object.find(key);
    return member == object.end() ? nullptr : &*member;
}

Error wrong(const std::string& origin, const std::string& pointer, const std::string& expected) {
    return make_error(origin + ": " + pointer + ": expected " + expected);
}

Result<std::string> string_of(const ordered_json& object, const char* key, const std::string& where,
                              const std::string& origin) {
    const auto* value = find(object, key);
    if (value == nullptr || !value->is_string()) {
        return wrong(origin, where + "/" + key, "a string");
    }
    return value->get<std::string>();
}

Result<pid_t> pid_of(const ordered_json& object, const std::string& where,
                     const std::string& origin) {
    const auto* value = find(object, "pid");
    if (value == nullptr) {
        return 0;
    }
    if (!value->is_number_integer() || value->get<std::int64_t>() < 0 ||
        value->get<std::int64_t>() > std::numeric_limits<pid_t>::max()) {
        return wrong(origin, where + "/pid", "a process id");
    }
    return value->get<pid_t>();
}

Result<OciState> state_from(const ordered_json& json, const std::string& where,
                            const std::string& origin) {
    if (!json.is_object()) {
        return wrong(origin, where.empty() ? "/" : where, "an object");
    }
    OciState state;
    for (auto [key, field] : {std::pair{"id", &state.id}, std::pair{"bundle", &state.bundle},
                              std::pair{"status", &state.status}}) {
        auto text = string_of(json, key, where, origin);
        if (!text) {
            return text.error();
        }
        *field = *text;
    }
    if (state.id.empty()) {
        return wrong(origin, where + "/id", "a container id");
    }
    auto pid = pid_of(json, where, origin);
    if (!pid) {
        return pid.error();
    }
    state.pid = *pid;
    if (const auto* annotations = find(json, "annotations");
        annotations != nullptr && annotations->is_object()) {
        for (const auto& [key, value] : annotations->items()) {
            if (value.is_string()) {
                state.annotations[key] = value.get<std::string>();
            }
        }
    }
    return state;
}

}  // namespace

Result<OciState> parse_oci_state(std::string_view text, const std::string& origin) {
    auto json = parse_json(text, origin);
    if (!json) {
        return json.error();
    }
    return state_from(*json, "", origin);
}

Result<ContainerProcessState> parse_container_process_state(std::string_view text,
                                                            const std::string& origin) {
    auto json = parse_json(text, origin);
    if (!json) {
        return json.error();
    }
    ContainerProcessState message;
    const auto* fds = find(*json, "fds");
    if (fds == nullptr || !fds->is_array()) {
        return wrong(origin, "/fds", "an array of names");
    }
    for (const auto& name : *fds) {
        if (!name.is_string()) {
            return wrong(origin, "/fds/" + std::to_string(message.fds.size()), "a string");
        }
        message.fds.push_back(name.get<std::string>());
    }
    auto pid = pid_of(*json, "", origin);
    if (!pid) {
        return pid.error();
    }
    message.pid = *pid;
    if (find(*json, "metadata") != nullptr) {
        auto metadata = string_of(*json, "metadata", "", origin);
        if (!metadata) {
            return metadata.error();
        }
        message.metadata = std::move(*metadata);
    }
    const auto* resumed = find(*json, "resumed");
    message.resumed = resumed != nullptr && resumed->is_boolean() && resumed->get<bool>();
    const auto* state = find(*json, "state");
    if (state == nullptr) {
        return wrong(origin, "/state", "an object");
    }
    auto parsed = state_from(*state, "/state", origin);
    if (!parsed) {
        return parsed.error();
    }
    message.state = std::move(*parsed);
    return message;
}

std::string container_process_state_text(const ContainerProcessState& message) {
    const OciState& state = message.state;
    const ordered_json json{{"ociVersion", "1.0.2"},
                            {"fds", {"seccompFd"}},
                            {"pid", message.pid},
                            {"metadata", message.metadata},
                            {"resumed", message.resumed},
                            {"state",
                             {{"ociVersion", "1.0.2"},
                              {"id", state.id},
                              {"status", state.status},
                              {"pid", state.pid},
                              {"bundle", state.bundle}}}};
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

JsonEnd::Status JsonEnd::feed(std::string_view chunk) {
    for (const char byte : chunk) {
        if (complete_) {
            break;
        }
        if (in_string_) {
            if (escaped_) {
                escaped_ = false;
            } else if (byte == '\\') {
                escaped_ = true;
            } else if (byte == '"') {
                in_string_ = false;
            }
            continue;
        }
        if (byte == '{' || byte == '[') {
            ++depth_;
        } else if (depth_ == 0 && byte != ' ' && byte != '\n' && byte != '\t' && byte != '\r') {
            return Status::kNotAnObject;
        } else if (byte == '}' || byte == ']') {
            complete_ = --depth_ == 0;
        } else if (byte == '"') {
            in_string_ = true;
        }
    }
    return complete_ ? Status::kComplete : Status::kIncomplete;
}

}  // namespace execseal
