#include "hook/cli/user_files.h"

#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "hook/os/user_namespace.h"

namespace execseal {
namespace {

// An absolute path of the environment, or the other one.
std::string from_environment(const char* name, const std::string& otherwise) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread of ours calls setenv
    const char* const value = std::getenv(name);
    return value != nullptr && *value == '/' ? value : otherwise;
}

std::string settings_text(const NodePlace& place, const UserPlace& user) {
    const std::string state = user.home + "/.local/state/execseal";
    const nlohmann::ordered_json settings{{"hook", place.hook},
                                          {"run_dir", user.run_dir},
                                          {"policies_dir", user_policies(user)},
                                          {"audit", {{"file", state + "/audit.jsonl"}}},
                                          {"log", {{"file", state + "/execseal.log"}}}};
    return settings.dump(4) + "\n";
}

Result<FileEdit> whole_file(const std::string& path, InstallDirection direction,
                            const Changes& changes) {
    auto edit = edit_of(path, direction, changes);
    if (edit) {
        edit->whole = true;
    }
    return edit;
}

}  // namespace

std::string user_policies(const UserPlace& user) {
    return user.home + "/.config/execseal/policies.d";
}

Result<UserPlace> user_place() {
    if (is_root_of_the_node()) {
        return make_error(
            "--user: expected another user than root, whose containers are the "
            "node's (execseal install --podman)");
    }
    UserPlace user;
    user.home = from_environment("HOME", "");
    if (user.home.empty()) {
        return make_error("--user: expected an absolute path in the environment's HOME");
    }
    user.podman = from_environment("XDG_CONFIG_HOME", user.home + "/.config") +
                  "/containers/containers.conf.d";
    user.run_dir = from_environment("XDG_RUNTIME_DIR", "/run/user/" + std::to_string(::getuid())) +
                   "/execseal";
    return user;
}

Result<std::vector<FileEdit>> user_edits(const NodePlace& place, const UserPlace& user,
                                         InstallDirection direction) {
    const std::string ours = settings_text(place, user);
    auto settings =
        whole_file(user.home + "/.config/execseal/config.json", direction,
                   {[&](const Text& was) -> Result<Text> { return was ? was : Text(ours); },
                    [&](const Text& was) -> Result<Text> { return was == ours ? Text() : was; }});
    auto podman = whole_file(user.podman + "/50-execseal.conf", direction,
                             {[&](const Text&) -> Result<Text> {
                                  auto text = our_text(place, "podman/user-50-execseal.conf");
                                  return text ? Result<Text>(std::move(*text)) : text.error();
                              },
                              [](const Text&) -> Result<Text> { return Text(); }});
    if (!settings || !podman) {
        return settings ? podman.error() : settings.error();
    }
    return std::vector<FileEdit>{std::move(*settings), std::move(*podman)};
}

}  // namespace execseal
