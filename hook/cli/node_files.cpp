#include "hook/cli/node_files.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "hook/cli/text_edit.h"
#include "hook/os/file_read.h"
#include "hook/os/program.h"

namespace execseal {
namespace {

constexpr std::size_t kLargest = std::size_t{4} << 20U;

constexpr const char* kContainerdConfig = "/etc/containerd/config.toml";
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
            // podman only reads this folder by default, whatever its manual says of /etc.
            return std::vector<DropIn>{
                {"podman/50-execseal.conf", "/etc/containers/containers.conf.d/50-execseal.conf"},
                {"podman/80-execseal.json", "/usr/share/containers/oci/hooks.d/80-execseal.json"}};
        case NodeProgram::kSystemd:
            return units_of(place);
    }
    return std::vector<DropIn>{};
}

Result<FileEdit> before_edit(const std::string& path) {
    auto before = read_if_there(path);
    if (!before) {
        return before.error();
    }
    return FileEdit{path, *before, *before, false};
}

Result<FileEdit> containerd_edit(const NodePlace& place) {
    auto edit = before_edit(place.root + kContainerdConfig);
    if (!edit) {
        return edit;
    }
    // Without a file containerd has its defaults; one that names its version keeps them.
    const std::string before = edit->before.value_or("version = 2\n");
    const bool third = before.find("version = 3") != std::string::npos;
    if (!third && before.find("version = 2") == std::string::npos) {
        return make_error(edit->path + ": expected version = 2 or version = 3");
    }
    auto block =
        our_text(place, third ? "containerd/execseal-v3.toml" : "containerd/execseal.toml");
    if (!block) {
        return block.error();
    }
    const auto rest = without_block(before);
    if (!rest) {
        return add_context(edit->path, rest.error());
    }
    if (rest->find(".runtimes.execseal]") != std::string::npos) {
        return make_error(edit->path +
                          ": a runtime execseal is there that is not of execseal "
                          "install: remove it first");
    }
    if (rest->find("SystemdCgroup = true") != std::string::npos) {
        replace_all(*block, "SystemdCgroup = false", "SystemdCgroup = true");
    }
    edit->after = with_block(before, *block);
    return edit;
}

Result<FileEdit> docker_edit(const NodePlace& place) {
    auto edit = before_edit(place.root + kDockerConfig);
    if (!edit) {
        return edit;
    }
    const auto addition = our_text(place, "docker/daemon.json");
    if (!addition) {
        return addition.error();
    }
    auto after = with_docker_runtimes(edit->before.value_or(""), *addition);
    if (!after) {
        return add_context(edit->path, after.error());
    }
    edit->after = std::move(*after);
    return edit;
}

Result<FileEdit> containerd_removal(const NodePlace& place) {
    auto edit = before_edit(place.root + kContainerdConfig);
    if (!edit || !edit->before) {
        return edit;
    }
    auto after = without_block(*edit->before);
    if (!after) {
        return add_context(edit->path, after.error());
    }
    // What install has made of nothing becomes nothing again.
    const bool ours = *after == "version = 2\n" && *after != *edit->before;
    edit->after = ours ? std::nullopt : std::optional<std::string>(std::move(*after));
    return edit;
}

Result<FileEdit> docker_removal(const NodePlace& place) {
    auto edit = before_edit(place.root + kDockerConfig);
    if (!edit || !edit->before) {
        return edit;
    }
    const auto addition = our_text(place, "docker/daemon.json");
    if (!addition) {
        return addition.error();
    }
    auto after = without_docker_runtimes(*edit->before, *addition);
    if (!after) {
        return add_context(edit->path, after.error());
    }
    const bool ours = *after == "{}\n" && *after != *edit->before;
    edit->after = ours ? std::nullopt : std::optional<std::string>(std::move(*after));
    return edit;
}

Result<std::vector<FileEdit>> only(Result<FileEdit> edit) {
    if (!edit) {
        return edit.error();
    }
    return std::vector<FileEdit>{std::move(*edit)};
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

Result<std::vector<FileEdit>> edits_to_install(NodeProgram program, const NodePlace& place) {
    if (program == NodeProgram::kContainerd) {
        return only(containerd_edit(place));
    }
    if (program == NodeProgram::kDocker) {
        return only(docker_edit(place));
    }
    const auto drop_ins = drop_ins_of(program, place);
    if (!drop_ins) {
        return drop_ins.error();
    }
    std::vector<FileEdit> edits;
    for (const DropIn& drop_in : *drop_ins) {
        auto edit = before_edit(place.root + drop_in.target);
        auto text = our_text(place, drop_in.source);
        if (!edit || !text) {
            return edit ? text.error() : edit.error();
        }
        edit->after = std::move(*text);
        edit->whole = true;
        edits.push_back(std::move(*edit));
    }
    return edits;
}

Result<std::vector<FileEdit>> edits_to_uninstall(NodeProgram program, const NodePlace& place) {
    if (program == NodeProgram::kContainerd) {
        return only(containerd_removal(place));
    }
    if (program == NodeProgram::kDocker) {
        return only(docker_removal(place));
    }
    const auto drop_ins = drop_ins_of(program, place);
    if (!drop_ins) {
        return drop_ins.error();
    }
    std::vector<FileEdit> edits;
    for (const DropIn& drop_in : *drop_ins) {
        auto edit = before_edit(place.root + drop_in.target);
        if (!edit) {
            return edit.error();
        }
        edit->after = std::nullopt;
        edit->whole = true;
        edits.push_back(std::move(*edit));
    }
    return edits;
}

bool is_on_node(NodeProgram program, const std::string& root) {
    const auto any = [&root](std::initializer_list<const char*> paths) {
        return std::any_of(paths.begin(), paths.end(), [&root](const char* path) {
            std::error_code code;
            return std::filesystem::exists(root + path, code);
        });
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

const char* reload_advice(NodeProgram program) {
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
            return "systemd-tmpfiles --create && systemctl daemon-reload && "
                   "systemctl enable --now execseal-agent.socket";
    }
    return "";
}

}  // namespace execseal
