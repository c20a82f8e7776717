#include "hook/cli/podman_hooks.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <sstream>

#include "hook/cli/toml_text.h"
#include "hook/os/file_read.h"

namespace execseal {
namespace {

constexpr std::size_t kLargest = std::size_t{4} << 20U;

// In the order in which podman reads them; a user's own file, which a podman of root does not read,
// is not among them.
std::vector<std::string> configuration_files(const std::string& root) {
    std::vector<std::string> files{"/usr/share/containers/containers.conf",
                                   "/etc/containers/containers.conf"};
    std::vector<std::string> drop_ins;
    const std::string folder = std::filesystem::path(kPodmanDropIn).parent_path();
    std::error_code code;
    for (const auto& entry : std::filesystem::directory_iterator(root + folder, code)) {
        if (entry.path().extension() == ".conf") {
            drop_ins.push_back(folder + "/" + entry.path().filename().string());
        }
    }
    std::sort(drop_ins.begin(), drop_ins.end());
    files.insert(files.end(), drop_ins.begin(), drop_ins.end());
    return files;
}

struct HooksList {
    std::vector<std::string> folders;
    bool append = false;
};

constexpr const char* kExpected =
    "/engine/hooks_dir: expected a list of strings, or of strings and {append = true}";

// nullopt: no word of it in this file.
Result<std::optional<HooksList>> read_list(const std::string& text) {
    const auto table = parse_toml(text);
    if (!table) {
        return table.error();
    }
    const auto node = table->at_path("engine.hooks_dir");
    if (!node) {
        return std::optional<HooksList>();
    }
    if (!node.is_array()) {
        return make_error(kExpected);
    }
    HooksList list;
    for (const toml::node& element : *node.as_array()) {
        if (const auto folder = element.value<std::string>()) {
            list.folders.push_back(*folder);
        } else if (element.is_table() && (*element.as_table())["append"].is_boolean()) {
            list.append = *(*element.as_table())["append"].value<bool>();
        } else {
            return make_error(kExpected);
        }
    }
    return std::optional<HooksList>(std::move(list));
}

Result<std::optional<HooksList>> list_of(const std::string& path) {
    const auto text = read_file(path, kLargest);
    if (!text) {
        return text.error().code == ENOENT ? Result<std::optional<HooksList>>(std::nullopt)
                                           : text.error();
    }
    auto list = read_list(*text);
    return list ? std::move(list) : add_context(path, list.error());
}

// The last word of the files on [engine] runtime, ours left aside.
Result<std::string> named_runtime(const std::string& root) {
    std::string name;
    for (const std::string& file : configuration_files(root)) {
        const auto text = read_file(root + file, kLargest);
        if (!text && text.error().code == ENOENT) {
            continue;
        }
        const auto table = text ? parse_toml(*text) : text.error();
        if (!table) {
            return add_context(root + file, table.error());
        }
        name = table->at_path("engine.runtime").value_or(name);
    }
    return name == "execseal" ? "" : name.substr(name.rfind('/') + 1);
}

// By its name.
std::string first_there(const std::string& root, const std::vector<std::string>& runtimes) {
    for (const std::string& runtime : runtimes) {
        for (const char* const folder : {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/",
                                         "/usr/bin/", "/sbin/", "/bin/"}) {
            std::error_code code;
            const std::string path = runtime.starts_with('/') ? runtime : folder + runtime;
            if (std::filesystem::exists(root + path, code)) {
                return runtime.substr(runtime.rfind('/') + 1);
            }
        }
    }
    return "";
}

bool names_ours(const std::vector<std::string>& folders) {
    return std::find(folders.begin(), folders.end(), kExecsealHooksDir) != folders.end();
}

void take(const HooksList& list, std::vector<std::string>& folders) {
    if (!list.append) {
        folders.clear();
    }
    folders.insert(folders.end(), list.folders.begin(), list.folders.end());
}

std::string toml_list(const std::vector<std::string>& folders) {
    toml::array array;
    for (const std::string& folder : folders) {
        array.push_back(folder);
    }
    std::ostringstream text;
    text << toml::toml_formatter(
        array, toml::toml_formatter::default_flags & ~toml::format_flags::allow_literal_strings);
    return text.str();
}

}  // namespace

Result<PodmanHooksDirs> podman_hooks_dirs(const std::string& root) {
    PodmanHooksDirs found;
    found.named = {kDefaultHooksDir};
    for (const std::string& file : configuration_files(root)) {
        const auto list = list_of(root + file);
        if (!list) {
            return list.error();
        }
        if (*list) {
            take(**list, found.named);
        }
    }
    found.ours = names_ours(found.named);
    return found;
}

Result<std::string> podman_other_runtime(const std::string& root,
                                         const std::vector<std::string>& shims) {
    const auto named = named_runtime(root);
    if (!named) {
        return named.error();
    }
    const std::string own = named->empty() ? first_there(root, {"crun", "runc"}) : *named;
    const bool known = own == "crun" || own == "runc";
    return known && own != first_there(root, shims) ? own : std::string();
}

Result<std::string> podman_hooks_list(const std::string& root) {
    std::vector<std::string> folders{kDefaultHooksDir};
    for (const std::string& file : configuration_files(root)) {
        if (file == kPodmanDropIn) {
            continue;
        }
        const auto list = list_of(root + file);
        if (!list) {
            return list.error();
        }
        if (!*list) {
            continue;
        }
        if (file < kPodmanDropIn || !file.starts_with("/etc/containers/containers.conf.d/")) {
            take(**list, folders);
        } else if (!(*list)->append && !names_ours((*list)->folders)) {
            return make_error(root + file + ": /engine/hooks_dir: expected \"" + kExecsealHooksDir +
                              "\" in it, too: podman reads it behind 50-execseal.conf, and takes "
                              "its list for the whole");
        }
    }
    std::erase(folders, kExecsealHooksDir);
    folders.emplace_back(kExecsealHooksDir);
    return toml_list(folders);
}

}  // namespace execseal
