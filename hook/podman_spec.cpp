#include "hook/podman_spec.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "hook/os/hex.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kIdLength = 64;  // podman's ids are 256 bits in hex

// A path below a container's own directory: ROOT/DRIVER-containers/ID/userdata/FILE. Files of the
// run root look alike, only `shm` always lies in the bundle.
struct OwnFile {
    std::string root;
    std::string driver;
    std::string id;
    std::string file;
};

bool is_id(std::string_view text) {
    return text.size() == kIdLength && is_hex(text);
}

std::string_view take_last(std::string_view& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) {
        return {};
    }
    const std::string_view last = path.substr(slash + 1);
    path = path.substr(0, slash);
    return last;
}

std::optional<OwnFile> own_file(std::string_view path) {
    constexpr std::string_view kSuffix = "-containers";
    const std::string_view file = take_last(path);
    if (take_last(path) != "userdata") {
        return std::nullopt;
    }
    const std::string_view id = take_last(path);
    const std::string_view containers = take_last(path);
    if (!is_id(id) || !containers.ends_with(kSuffix) || path.empty()) {
        return std::nullopt;
    }
    return OwnFile{std::string(path),
                   std::string(containers.substr(0, containers.size() - kSuffix.size())),
                   std::string(id), std::string(file)};
}

const Json* find(const Json& object, const char* key) {
    if (!object.is_object()) {
        return nullptr;
    }
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

std::string string_at(const Json& object, const char* key) {
    const Json* value = find(object, key);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::vector<OwnFile> own_files(const Json& spec) {
    std::vector<OwnFile> files;
    const Json* mounts = find(spec, "mounts");
    if (mounts == nullptr || !mounts->is_array()) {
        return files;
    }
    for (const Json& mount : *mounts) {
        if (auto file = own_file(string_at(mount, "source"))) {
            files.push_back(std::move(*file));
        }
    }
    return files;
}

// PARENT/libpod-ID (cgroupfs), SLICE:libpod:ID (systemd), PARENT/libpod-payload-ID
// (--cgroups=split); absent under --cgroups=disabled. The parent is the user's, the last part is
// not.
std::optional<std::string> id_of_cgroup(const Json& spec) {
    const Json* linux = find(spec, "linux");
    if (linux == nullptr) {
        return std::nullopt;
    }
    const std::string path = string_at(*linux, "cgroupsPath");
    for (const std::string_view mark : {"/libpod-", "/libpod-payload-", ":libpod:"}) {
        if (path.size() >= kIdLength + mark.size()) {
            const std::string id = path.substr(path.size() - kIdLength);
            const std::string_view before =
                std::string_view(path).substr(0, path.size() - kIdLength);
            if (before.ends_with(mark) && is_id(id)) {
                return id;
            }
        }
    }
    return std::nullopt;
}

Result<std::string> find_id(const Json& spec, const std::vector<OwnFile>& files) {
    if (const auto id = id_of_cgroup(spec)) {
        return *id;
    }
    // A pod's containers share files of the infra container: then the mounts name two.
    std::set<std::string> ids;
    for (const OwnFile& file : files) {
        ids.insert(file.id);
    }
    if (ids.size() == 1) {
        return *ids.begin();
    }
    return make_error(
        "/linux/cgroupsPath: expected podman's libpod-ID, and the mounts name " +
        std::to_string(ids.size()) +
        " containers: the id cannot be known here, use --runtime execseal-runtime instead");
}

// Where the storage may lie, best first; the same place may come twice.
std::vector<std::string> candidates(const Json& spec, const std::vector<OwnFile>& files,
                                    const std::string& id,
                                    const std::vector<std::string>& graph_roots) {
    std::vector<std::string> bundles;
    std::set<std::string> drivers;
    const auto add = [&](const std::string& root, const std::string& driver) {
        bundles.push_back(root + "/" + driver + "-containers/" + id + "/userdata");
    };
    for (const OwnFile& file : files) {
        drivers.insert(file.driver);
        if (file.file == "shm") {
            add(file.root, file.driver);  // also another container's of the same storage
        }
    }
    // GRAPHROOT/DRIVER/... : the root file system is a layer of the storage.
    if (const Json* root = find(spec, "root")) {
        const std::string path = string_at(*root, "path");
        for (const std::string& driver : drivers) {
            const std::string part = "/" + driver + "/";
            for (auto at = path.find(part); at != std::string::npos; at = path.find(part, at + 1)) {
                add(path.substr(0, at), driver);
            }
        }
    }
    for (const std::string& root : graph_roots) {
        for (const std::string& driver : drivers) {
            add(root, driver);
        }
    }
    return bundles;
}

}  // namespace

Result<PodmanContainer> podman_container_of(
    const Json& spec, const std::vector<std::string>& graph_roots,
    const std::function<bool(const std::string& directory)>& exists) {
    if (!spec.is_object()) {
        return make_error("/: expected an object");
    }
    const std::vector<OwnFile> files = own_files(spec);
    const auto id = find_id(spec, files);
    if (!id) {
        return id.error();
    }
    const std::vector<std::string> bundles = candidates(spec, files, *id, graph_roots);
    const auto found = std::ranges::find_if(bundles, exists);
    if (found == bundles.end()) {
        return make_error(
            "container " + *id +
            ": its bundle is in none of podman's storages that the document points to, use "
            "--runtime execseal-runtime instead");
    }
    return PodmanContainer{*id, *found};
}

}  // namespace execseal
