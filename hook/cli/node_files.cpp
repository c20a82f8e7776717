#include "hook/cli/node_files.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "config/real_runtime.h"
#include "config/settings.h"
#include "hook/cli/containerd_files.h"
#include "hook/cli/podman_hooks.h"
#include "hook/cli/text_edit.h"
#include "hook/os/executable.h"

namespace execseal {
namespace {

// What stands in podman/50-execseal.conf, for a node without a list of its own.
constexpr const char* kHooksListOfTheText =
    R"(["/usr/share/containers/oci/hooks.d", "/etc/execseal/hooks.d"])";
// Where execseal 0.1 put podman's hook: buildah fails each RUN for it.
constexpr const char* kFormerHook = "/usr/share/containers/oci/hooks.d/80-execseal.json";
constexpr const char* kDockerConfig = "/etc/docker/daemon.json";

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

// The shim under the name that keeps podman's own runtime, where the settings' would be another.
Result<std::string> podman_shim(const NodePlace& place) {
    const auto shims = read_runtimes(place.root + "/etc/execseal/config.json");
    const auto other = podman_other_runtime(place.root, shims ? *shims : Settings{}.runtimes);
    if (!other) {
        return other.error();
    }
    const std::string link =
        std::filesystem::path(place.hook).parent_path().string() + "/" + kNamedShim + *other;
    std::error_code code;
    const bool use = !other->empty() && std::filesystem::exists(link, code);
    return use ? link : place.runtime;
}

Result<std::string> drop_in_text(const NodePlace& place, const DropIn& drop_in) {
    auto text = our_text(place, drop_in.source);
    if (text && drop_in.target == kPodmanDropIn) {
        const auto list = podman_hooks_list(place.root);
        if (!list) {
            return list.error();
        }
        replace_all(*text, kHooksListOfTheText, *list);
        const auto shim = podman_shim(place);
        if (!shim) {
            return shim.error();
        }
        replace_all(*text, place.runtime, *shim);
    }
    return text;
}

Result<Text> with_docker(const NodePlace& place, const Text& was) {
    const auto addition = our_text(place, "docker/daemon.json");
    if (!addition) {
        return addition.error();
    }
    auto after = with_docker_runtimes(was.value_or(""), *addition);
    return after ? Result<Text>(std::move(*after)) : after.error();
}

Result<Text> without_docker(const NodePlace& place, const Text& was) {
    const auto addition = our_text(place, "docker/daemon.json");
    if (!addition) {
        return addition.error();
    }
    auto after = without_docker_runtimes(was.value_or(""), *addition);
    return after ? Result<Text>(std::move(*after)) : after.error();
}

Result<std::vector<FileEdit>> docker_edits(const NodePlace& place, InstallDirection direction) {
    auto edit = edit_of(place.root + kDockerConfig, direction,
                        {[&](const Text& was) { return with_docker(place, was); },
                         [&](const Text& was) { return without_docker(place, was); }});
    if (!edit) {
        return edit.error();
    }
    return std::vector<FileEdit>{std::move(*edit)};
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

// The package's own unit, where it has one.
Result<Text> vendor_text(const NodePlace& place, const DropIn& drop_in) {
    static const std::vector<std::pair<std::string, std::string>> kPairs{
        {"/etc/systemd/system/", "/lib/systemd/system/"},
        {"/etc/systemd/system/", "/usr/lib/systemd/system/"},
        {"/etc/tmpfiles.d/", "/usr/lib/tmpfiles.d/"}};
    for (const auto& [own, vendor] : kPairs) {
        if (drop_in.target.starts_with(own)) {
            auto text = read_if_there(place.root + vendor + drop_in.target.substr(own.size()));
            if (!text || *text) {
                return text;
            }
        }
    }
    return Text();
}

Result<FileEdit> drop_in_edit(const DropIn& drop_in, const NodePlace& place,
                              InstallDirection direction) {
    const auto vendor = vendor_text(place, drop_in);
    if (!vendor) {
        return vendor.error();
    }
    const auto ours = [&](const Text& was) -> Result<Text> {
        auto text = drop_in_text(place, drop_in);
        if (!text || !*vendor) {
            return text ? Result<Text>(std::move(*text)) : text.error();
        }
        // A copy in /etc would stand before the package's, and stay behind after its upgrade.
        return was == *text ? Text() : was;
    };
    auto edit = edit_of(
        place.root + drop_in.target, direction,
        {ours, [&](const Text& was) { return *vendor ? ours(was) : Result<Text>(Text()); }});
    if (edit) {
        edit->whole = true;
    }
    return edit;
}

// Goes whichever way; a file of that name that is not ours stays.
Result<FileEdit> former_hook_edit(const NodePlace& place) {
    const auto without = [](const Text& was) -> Result<Text> {
        return was && was->find("execseal") != std::string::npos ? Text() : was;
    };
    auto edit = edit_of(place.root + kFormerHook, InstallDirection::kInstall, {without, without});
    if (edit) {
        edit->whole = true;
    }
    return edit;
}

Result<std::vector<FileEdit>> drop_in_edits(NodeProgram program, const NodePlace& place,
                                            InstallDirection direction) {
    const auto drop_ins = drop_ins_of(program, place);
    if (!drop_ins) {
        return drop_ins.error();
    }
    std::vector<Result<FileEdit>> made;
    for (const DropIn& drop_in : *drop_ins) {
        made.push_back(drop_in_edit(drop_in, place, direction));
    }
    if (program == NodeProgram::kPodman) {
        made.push_back(former_hook_edit(place));
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
    switch (program) {
        case NodeProgram::kContainerd:
            return containerd_edits(place, direction);
        case NodeProgram::kDocker:
            return docker_edits(place, direction);
        case NodeProgram::kCrio:
        case NodeProgram::kPodman:
        case NodeProgram::kSystemd:
            break;
    }
    return drop_in_edits(program, place, direction);
}

bool is_on_node(NodeProgram program, const std::string& root) {
    const auto any = [&root](std::initializer_list<const char*> paths) {
        return std::any_of(paths.begin(), paths.end(),
                           [&root](const char* path) { return holds_a_file(root + path); });
    };
    switch (program) {
        case NodeProgram::kContainerd:
            return any({"/etc/containerd", "/usr/bin/containerd", "/usr/local/bin/containerd"}) ||
                   !rancher_folders(root).empty();
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
            return "systemctl restart containerd (of k3s and rke2: k3s, rke2-server, rke2-agent)";
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
