#include "hook/launch/engine_name.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "config/json_reader.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;
namespace fs = std::filesystem;

// Of a host with thousands of containers.
constexpr JsonLimits kLimits{std::size_t{64} << 20, 64, 4'000'000};

std::optional<std::string> string_at(const ordered_json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string()
               ? std::optional(found->get_ref<const std::string&>())
               : std::nullopt;
}

// STORAGE/overlay-containers/containers.json: [{"id": ..., "names": [...]}, ...].
std::string name_in_storage(const fs::path& list, const std::string& id) {
    const auto containers = load_json(list, kLimits);
    if (!containers || !containers->is_array()) {
        return {};
    }
    for (const ordered_json& container : *containers) {
        const auto names = container.find("names");
        if (string_at(container, "id") == id && names != container.end() && names->is_array() &&
            !names->empty() && names->front().is_string()) {
            return names->front().get<std::string>();
        }
    }
    return {};
}

std::string name_by_podman(const fs::path& bundle, const std::string& id) {
    const fs::path container = bundle.parent_path();
    if (bundle.filename() != "userdata" || container.filename() != id) {
        return {};
    }
    // The second has those that need not outlive a boot (`--rm`, since containers/storage 1.44).
    for (const char* const list : {"containers.json", "volatile-containers.json"}) {
        if (auto name = name_in_storage(container.parent_path() / list, id); !name.empty()) {
            return name;
        }
    }
    return {};
}

std::string name_by_docker(const fs::path& bundle, const std::string& id) {
    // containerd's namespace of Docker's; elsewhere config.json is not read again for nothing.
    if (bundle.filename() != id || bundle.parent_path().filename() != "moby") {
        return {};
    }
    const auto spec = load_json(bundle / "config.json", kLimits);
    if (!spec || !spec->is_object()) {
        return {};
    }
    for (const ordered_json& mount : spec->value("mounts", ordered_json::array())) {
        const fs::path source = string_at(mount, "source").value_or("");
        if (string_at(mount, "destination") == "/etc/hostname" &&
            source.parent_path().filename() == id) {
            const auto container = load_json(source.parent_path() / "config.v2.json", kLimits);
            const std::string name =
                container ? string_at(*container, "Name").value_or("") : std::string();
            return name.starts_with('/') ? name.substr(1) : name;
        }
    }
    return {};
}

}  // namespace

std::string name_by_engine(const std::string& bundle, const std::string& container_id) {
    auto name = name_by_podman(bundle, container_id);
    return name.empty() ? name_by_docker(bundle, container_id) : name;
}

}  // namespace execseal
