#include "hook/cli/containerd_files.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "hook/cli/text_edit.h"
#include "hook/cli/toml_text.h"

namespace execseal {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMain = "/etc/containerd/config.toml";
// The CRI plugin of versions 2 and 3.
constexpr const char* kPlugins[] = {"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"};
// What containerd 2.2 and later imports on its own.
constexpr const char* kDefaultImports = "/etc/containerd/conf.d/*.toml";
constexpr int kOldest = 2;
constexpr int kSplit = 3;  // from here on the CRI plugin's second name

struct File {
    std::string path;  // below root
    std::string text;  // without ours
    ContainerdConfig config;
    bool unasked = false;  // by kDefaultImports
};

void read_runtimes(const toml::table& cri, ContainerdConfig& config) {
    const auto containerd = cri["containerd"];
    const std::string standard = containerd["default_runtime_name"].value_or(std::string("runc"));
    config.systemd_cgroup =
        config.systemd_cgroup ||
        containerd["runtimes"][standard]["options"]["SystemdCgroup"].value_or(false);
    config.has_runtime = config.has_runtime || containerd["runtimes"]["execseal"];
}

std::vector<std::string> expanded(const std::string& pattern) {
    std::vector<std::string> paths;
    glob_t found{};
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
        paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    ::globfree(&found);
    return paths;
}

bool imports_on_its_own(const std::vector<File>& files) {
    return files.empty() ||
           (!files.front().config.names_imports &&
            (files.front().config.empty || files.front().config.version >= kSplit));
}

// Appends those of kDefaultImports.
Result<> read_unasked(const std::string& root, std::vector<File>& files) {
    for (const std::string& path : expanded(root + kDefaultImports)) {
        const auto text = read_if_there(path);
        const auto config = text ? read_containerd_config(text->value_or("")) : text.error();
        if (!config) {
            return add_context(path, config.error());
        }
        files.push_back({path, text->value_or(""), *config, true});
    }
    return Ok{};
}

// Of config.toml, then of what it imports and those import, in containerd's order.
Result<std::vector<File>> read_files(const std::string& root) {
    std::vector<File> files;
    std::vector<std::string> waiting{root + kMain};
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        const auto text = read_if_there(waiting[i]);
        if (!text) {
            return text.error();
        }
        if (!*text) {
            continue;
        }
        auto without = without_block(**text);
        if (!without) {
            return add_context(waiting[i], without.error());
        }
        auto config = read_containerd_config(*without);
        if (!config) {
            return add_context(waiting[i], config.error());
        }
        for (const std::string& pattern : config->imports) {
            const std::string folder = fs::path(waiting[i]).parent_path();
            const std::string where =
                pattern.starts_with('/') ? root + pattern : folder + "/" + pattern;
            for (std::string& path : expanded(where)) {
                if (std::find(waiting.begin(), waiting.end(), path) == waiting.end()) {
                    waiting.push_back(std::move(path));
                }
            }
        }
        files.push_back({waiting[i], std::move(*without), std::move(*config)});
    }
    if (imports_on_its_own(files)) {
        if (auto read = read_unasked(root, files); !read) {
            return read.error();
        }
    }
    return files;
}

Result<std::string> block_for(const NodePlace& place, int version, bool systemd_cgroup) {
    auto block = our_text(
        place, version >= kSplit ? "containerd/execseal-v3.toml" : "containerd/execseal.toml");
    if (block && systemd_cgroup) {
        replace_all(*block, "SystemdCgroup = false", "SystemdCgroup = true");
    }
    return block;
}

struct Wanted {
    std::string path;  // who gets the runtime
    int version = 0;   // of config.toml, for a file that names none
    bool systemd_cgroup = false;
};

Result<Wanted> wanted_of(const std::vector<File>& files, const std::string& root) {
    Wanted wanted{root + kMain};
    for (const File& file : files) {
        if (file.config.has_runtime) {
            return make_error(file.path +
                              ": a runtime execseal is there that is not of execseal install: "
                              "remove it first");
        }
        if (file.config.has_cri && !file.unasked) {
            wanted.path = file.path;
        }
        wanted.version = std::max(wanted.version, file.config.version);
        wanted.systemd_cgroup = wanted.systemd_cgroup || file.config.systemd_cgroup;
    }
    return wanted;
}

Result<Text> with_runtime(const NodePlace& place, const Wanted& wanted, const Text& was) {
    const auto without = without_block(was.value_or(""));
    if (!without) {
        return without.error();
    }
    const auto config = read_containerd_config(*without);
    if (!config) {
        return config.error();
    }
    // Without a word containerd has its defaults; a file that names its version keeps them.
    const bool names_version = config->version != 0 || wanted.version != 0;
    const int version = config->version != 0 ? config->version : wanted.version;
    if (names_version ? version < kOldest : !config->empty) {
        return make_error("expected version = 2, 3 or 4");
    }
    auto block = block_for(place, version, wanted.systemd_cgroup);
    if (!block) {
        return block.error();
    }
    // Of a file without a key it is the first; an import has that of config.toml.
    const std::string first =
        config->empty ? "version = " + std::to_string(std::max(version, kOldest)) + "\n" : "";
    const std::string after = with_block(was.value_or(""), first + *block);
    if (const auto read = read_containerd_config(after); !read) {
        return add_context("cannot take a table [...runtimes.execseal] at its end", read.error());
    }
    return Text(after);
}

// What an install of 0.1 made of no file.
constexpr const char* kFormerNothing = "version = 2\n";

Result<Text> without_runtime(const std::string& path, const Text& was) {
    const auto after = without_block(was.value_or(""));
    if (!after) {
        return after.error();
    }
    std::error_code code;
    const bool nothing = *after != *was && !fs::exists(backup_of(path), code) &&
                         (after->empty() || *after == kFormerNothing);
    return nothing ? Text() : Text(*after);
}

Changes changes_for(const NodePlace& place, const Wanted& wanted, const std::string& path) {
    Changes changes;
    changes.install = [&place, wanted](const Text& was) {
        return with_runtime(place, wanted, was);
    };
    changes.remove = [path](const Text& was) { return without_runtime(path, was); };
    return changes;
}

Result<std::vector<FileEdit>> main_edits(const NodePlace& place, InstallDirection direction) {
    auto files = read_files(place.root);
    if (!files) {
        if (direction == InstallDirection::kInstall) {
            return files.error();
        }
        files = std::vector<File>{};  // ours is found as text, whatever the rest of it is
    }
    auto wanted = wanted_of(*files, place.root);
    if (!wanted && direction == InstallDirection::kInstall) {
        return wanted.error();
    }
    std::vector<std::string> paths{wanted ? wanted->path : place.root + kMain};
    for (const File& file : *files) {
        if (file.path != paths.front() && !file.unasked) {
            paths.push_back(file.path);
        }
    }
    std::vector<FileEdit> edits;
    for (const std::string& path : paths) {
        // Whoever has it from another day gives it back.
        const bool gets_it = path == paths.front() && direction == InstallDirection::kInstall;
        auto edit =
            edit_of(path, gets_it ? InstallDirection::kInstall : InstallDirection::kUninstall,
                    changes_for(place, wanted ? *wanted : Wanted{}, path));
        if (!edit) {
            return edit.error();
        }
        edits.push_back(std::move(*edit));
    }
    return edits;
}

// A template is no TOML: its name says the version, and what it extends the rest.
Changes template_changes(const NodePlace& place, const std::string& folder, int version) {
    Changes changes;
    changes.install = [&place, folder, version](const Text& was) -> Result<Text> {
        const auto made = read_if_there(folder + "/config.toml");
        const auto config = read_containerd_config(made && *made ? **made : "");
        auto block = block_for(place, version, config && config->systemd_cgroup);
        if (!block) {
            return block.error();
        }
        if (was && was->find("runtimes.execseal]") != std::string::npos &&
            was->find("# execseal install: begin") == std::string::npos) {
            return make_error(
                "a runtime execseal is there that is not of execseal install: remove it first");
        }
        return Text(was ? with_block(*was, *block)
                        : with_block("", "{{ template \"base\" . }}\n\n" + *block));
    };
    changes.remove = [](const Text& was) -> Result<Text> {
        auto after = without_block(was.value_or(""));
        if (!after) {
            return after.error();
        }
        return after->empty() && !was->empty() ? Text() : Text(std::move(*after));
    };
    return changes;
}

}  // namespace

Result<ContainerdConfig> read_containerd_config(const std::string& text) {
    const auto table = parse_toml(text);
    if (!table) {
        return table.error();
    }
    ContainerdConfig config;
    config.empty = table->empty();
    config.version = (*table)["version"].value_or(0);
    for (const char* plugin : kPlugins) {
        if (const toml::table* cri = (*table)["plugins"][plugin].as_table()) {
            config.has_cri = true;
            read_runtimes(*cri, config);
        }
    }
    config.names_imports = table->contains("imports");
    if (const toml::array* imports = (*table)["imports"].as_array()) {
        for (const toml::node& pattern : *imports) {
            config.imports.push_back(pattern.value_or(std::string()));
        }
    }
    return config;
}

std::vector<std::string> rancher_folders(const std::string& root) {
    std::vector<std::string> folders;
    for (const char* distribution : {"k3s", "rke2"}) {
        const std::string folder =
            root + "/var/lib/rancher/" + distribution + "/agent/etc/containerd";
        std::error_code code;
        if (fs::is_directory(folder, code)) {
            folders.push_back(folder);
        }
    }
    return folders;
}

Result<std::vector<FileEdit>> containerd_edits(const NodePlace& place, InstallDirection direction) {
    std::vector<FileEdit> edits;
    const std::vector<std::string> ranchers = rancher_folders(place.root);
    std::error_code code;
    if (ranchers.empty() || fs::exists(place.root + kMain, code)) {
        auto own = main_edits(place, direction);
        if (!own) {
            return own.error();
        }
        edits = std::move(*own);
    }
    for (const std::string& folder : ranchers) {
        for (const auto& [name, version] :
             {std::pair("config.toml.tmpl", kOldest), std::pair("config-v3.toml.tmpl", kSplit)}) {
            const std::string path = std::string(folder).append("/").append(name);
            auto edit = edit_of(path, direction, template_changes(place, folder, version));
            if (!edit) {
                return edit.error();
            }
            edits.push_back(std::move(*edit));
        }
    }
    return edits;
}

}  // namespace execseal
