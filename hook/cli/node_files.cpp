#include "hook/cli/node_files.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <utility>

#include "hook/cli/podman_hooks.h"
#include "hook/cli/text_edit.h"
#include "hook/os/executable.h"
#include "hook/os/file_read.h"

namespace execseal {
namespace {

constexpr std::size_t kLargest = std::size_t{4} << 20U;

constexpr const char* kContainerdConfig = "/etc/containerd/config.toml";
// What stands in podman/50-execseal.conf, for a node without a list of its own.
constexpr const char* kHooksListOfTheText =
    R"(["/usr/share/containers/oci/hooks.d", "/etc/execseal/hooks.d"])";
// Where execseal 0.1 put podman's hook: buildah fails each RUN for it.
constexpr const char* kFormerHook = "/usr/share/containers/oci/hooks.d/80-execseal.json";
constexpr const char* kDockerConfig = "/etc/docker/daemon.json";

Result<std::optional<std::string>> read_if_there(const std::string& path) {
    auto text = read_file(path, kLargest);
    if (text) {
        return std::optional<std::string>(std::move(*text));
    }
    if (text.error().code == ENOENT) {
        return std::optional<std::string>();
    }
    return text.error();
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

Result<std::string> our_text(const NodePlace& place, const std::string& name) {
    auto text = read_file(place.share + "/" + name, kLargest);
    if (!text) {
        return add_context("what execseal installs", text.error());
    }
    replace_all(*text, "/usr/bin/execseal-runtime", place.runtime);
    replace_all(*text, "/usr/libexec/execseal/execseal-hook", place.hook);
    return text;
}

// A file that is all ours.
struct DropIn {
    std::string source;  // below share
    std::string target;
};

Result<std::vector<DropIn>> units_of(const NodePlace& place) {
    std::vector<DropIn> units;
    std::error_code code;
    for (const auto& entry : std::filesystem::directory_iterator(place.share + "/systemd", code)) {
        const std::string name = entry.path().filename();
        const std::string target = entry.path().extension() == ".tmpfiles"
                                       ? "/etc/tmpfiles.d/" + entry.path().stem().string() + ".conf"
                                       : "/etc/systemd/system/" + name;
        units.push_back({"systemd/" + name, target});
    }
    if (code) {
        return Error{code.value(), place.share + "/systemd"};
    }
    std::sort(units.begin(), units.end(),
              [](const DropIn& a, const DropIn& b) { return a.target < b.target; });
    return units;
}

Result<std::vector<DropIn>> drop_ins_of(NodeProgram program, const NodePlace& place) {
    switch (program) {
        case NodeProgram::kContainerd:
        case NodeProgram::kDocker:
            return std::vector<DropIn>{};
        case NodeProgram::kCrio:
            return std::vector<DropIn>{
                {"crio/99-execseal.conf", "/etc/crio/crio.conf.d/99-execseal.conf"}};
        case NodeProgram::kPodman:
            return std::vector<DropIn>{
                {"podman/50-execseal.conf", kPodmanDropIn},
                {"podman/80-execseal.json", std::string(kExecsealHooksDir) + "/80-execseal.json"}};
        case NodeProgram::kSystemd:
            return units_of(place);
    }
    return std::vector<DropIn>{};
}

Result<std::string> drop_in_text(const NodePlace& place, const DropIn& drop_in) {
    auto text = our_text(place, drop_in.source);
    if (text && drop_in.target == kPodmanDropIn) {
        const auto list = podman_hooks_list(place.root);
        if (!list) {
            return list.error();
        }
        replace_all(*text, kHooksListOfTheText, *list);
    }
    return text;
}

// What a file is to become; takes what it is, nullopt where there is none.
using Text = std::optional<std::string>;

Result<Text> with_containerd_runtime(const NodePlace& place, const Text& was) {
    // Without a file containerd has its defaults; one that names its version keeps them.
    const std::string before = was.value_or("version = 2\n");
    const bool third = before.find("version = 3") != std::string::npos;
    if (!third && before.find("version = 2") == std::string::npos) {
        return make_error("expected version = 2 or version = 3");
    }
    auto block =
        our_text(place, third ? "containerd/execseal-v3.toml" : "containerd/execseal.toml");
    if (!block) {
        return block.error();
    }
    const auto rest = without_block(before);
    if (!rest) {
        return rest.error();
    }
    if (rest->find(".runtimes.execseal]") != std::string::npos) {
        return make_error(
            "a runtime execseal is there that is not of execseal install: remove it first");
    }
    if (rest->find("SystemdCgroup = true") != std::string::npos) {
        replace_all(*block, "SystemdCgroup = false", "SystemdCgroup = true");
    }
    return Text(with_block(before, *block));
}

// `empty`: what install has made of nothing, and so becomes nothing again.
Result<Text> or_nothing(Result<std::string> after, const std::string& was, const char* empty) {
    if (!after) {
        return after.error();
    }
    return *after == empty && *after != was ? Text() : Text(std::move(*after));
}

Result<Text> changed_containerd(const NodePlace& place, const Text& was,
                                InstallDirection direction) {
    if (direction == InstallDirection::kInstall) {
        return with_containerd_runtime(place, was);
    }
    return was ? or_nothing(without_block(*was), *was, "version = 2\n") : was;
}

Result<Text> changed_docker(const NodePlace& place, const Text& was, InstallDirection direction) {
    const auto addition = our_text(place, "docker/daemon.json");
    if (!addition) {
        return addition.error();
    }
    if (direction == InstallDirection::kInstall) {
        auto after = with_docker_runtimes(was.value_or(""), *addition);
        return after ? Result<Text>(std::move(*after)) : after.error();
    }
    return was ? or_nothing(without_docker_runtimes(*was, *addition), *was, "{}\n") : was;
}

using Change = std::function<Result<Text>(const Text& was)>;

Result<FileEdit> edit_of(const std::string& path, const Change& change) {
    auto before = read_if_there(path);
    if (!before) {
        return before.error();
    }
    auto after = change(*before);
    if (!after) {
        return add_context(path, after.error());
    }
    return FileEdit{path, std::move(*before), std::move(*after), false};
}

// A program's file, or its folder; an empty one may be what an uninstall has left.
bool holds_a_file(const std::string& path) {
    std::error_code code;
    if (!std::filesystem::is_directory(path, code)) {
        return std::filesystem::exists(path, code);
    }
    const std::filesystem::recursive_directory_iterator entries(path, code);
    return std::any_of(begin(entries), end(entries), [](const auto& entry) {
        std::error_code unknown;
        return !entry.is_directory(unknown);
    });
}

Result<FileEdit> drop_in_edit(const DropIn& drop_in, const NodePlace& place,
                              InstallDirection direction) {
    auto edit = edit_of(place.root + drop_in.target, [&](const Text&) -> Result<Text> {
        if (direction == InstallDirection::kUninstall) {
            return Text();
        }
        auto text = drop_in_text(place, drop_in);
        return text ? Result<Text>(std::move(*text)) : text.error();
    });
    if (edit) {
        edit->whole = true;
    }
    return edit;
}

// Goes whichever way; a file of that name that is not ours stays.
Result<FileEdit> former_hook_edit(const NodePlace& place) {
    auto edit = edit_of(place.root + kFormerHook, [](const Text& was) -> Result<Text> {
        return was && was->find("execseal") != std::string::npos ? Text() : was;
    });
    if (edit) {
        edit->whole = true;
    }
    return edit;
}

}  // namespace

Result<NodePlace> node_place(const std::string& root, const std::string& share) {
    const auto program = real_path("/proc/self/exe");
    if (!program) {
        return program.error();
    }
    const std::string prefix = std::filesystem::path(*program).parent_path().parent_path().string();
    NodePlace place;
    place.root = root == "/" ? "" : root;
    place.share = share.empty() ? prefix + "/share/execseal" : share;
    place.runtime = prefix + "/bin/execseal-runtime";
    place.hook = prefix + "/libexec/execseal/execseal-hook";
    return place;
}

const char* node_program_name(NodeProgram program) {
    switch (program) {
        case NodeProgram::kContainerd:
            return "containerd";
        case NodeProgram::kCrio:
            return "crio";
        case NodeProgram::kPodman:
            return "podman";
        case NodeProgram::kDocker:
            return "docker";
        case NodeProgram::kSystemd:
            return "systemd";
    }
    return "?";
}

Result<std::vector<FileEdit>> edits_of(NodeProgram program, const NodePlace& place,
                                       InstallDirection direction) {
    std::vector<Result<FileEdit>> made;
    if (program == NodeProgram::kContainerd) {
        made.push_back(edit_of(place.root + kContainerdConfig, [&](const Text& was) {
            return changed_containerd(place, was, direction);
        }));
    } else if (program == NodeProgram::kDocker) {
        made.push_back(edit_of(place.root + kDockerConfig, [&](const Text& was) {
            return changed_docker(place, was, direction);
        }));
    } else {
        const auto drop_ins = drop_ins_of(program, place);
        if (!drop_ins) {
            return drop_ins.error();
        }
        for (const DropIn& drop_in : *drop_ins) {
            made.push_back(drop_in_edit(drop_in, place, direction));
        }
        if (program == NodeProgram::kPodman) {
            made.push_back(former_hook_edit(place));
        }
    }
    std::vector<FileEdit> edits;
    for (auto& edit : made) {
        if (!edit) {
            return edit.error();
        }
        edits.push_back(std::move(*edit));
    }
    return edits;
}

bool is_on_node(NodeProgram program, const std::string& root) {
    const auto any = [&root](std::initializer_list<const char*> paths) {
        return std::any_of(paths.begin(), paths.end(),
                           [&root](const char* path) { return holds_a_file(root + path); });
    };
    switch (program) {
        case NodeProgram::kContainerd:
            return any({"/etc/containerd", "/usr/bin/containerd", "/usr/local/bin/containerd"});
        case NodeProgram::kCrio:
            return any({"/etc/crio", "/usr/bin/crio", "/usr/local/bin/crio"});
        case NodeProgram::kPodman:
            return any({"/usr/bin/podman", "/usr/local/bin/podman"});
        case NodeProgram::kDocker:
            return any({"/etc/docker", "/usr/bin/dockerd", "/usr/sbin/dockerd"});
        case NodeProgram::kSystemd:
            return false;  // the node agent is for those who ask for it
    }
    return false;
}

const char* reload_advice(NodeProgram program, InstallDirection direction) {
    switch (program) {
        case NodeProgram::kContainerd:
            return "systemctl restart containerd";
        case NodeProgram::kCrio:
            return "systemctl reload crio";
        case NodeProgram::kPodman:
            return "";
        case NodeProgram::kDocker:
            return "systemctl reload docker";
        case NodeProgram::kSystemd:
            return direction == InstallDirection::kInstall
                       ? "systemd-tmpfiles --create && systemctl daemon-reload && "
                         "systemctl enable --now execseal-agent.socket"
                       : "systemctl disable --now execseal-agent.socket execseal-agent.service; "
                         "systemctl daemon-reload";
    }
    return "";
}

}  // namespace execseal
