// Which of containerd's files get the runtime "execseal", and what they become.
//
// They are read as TOML and changed as text. /etc/containerd/config.toml and what it imports: the
// runtime goes into the last of them that has the CRI plugin's section, since a containerd before
// 2.2 takes that section for the whole of it; into config.toml where none has. k3s and rke2 make
// their file anew at each start, from a template that they extend: that one is changed. What
// containerd imports where no file says so (since 2.2) is read for its cgroup driver, not changed.
#pragma once

#include <string>
#include <vector>

#include "hook/cli/file_edit.h"
#include "hook/os/result.h"

namespace execseal {

struct ContainerdConfig {
    bool empty = false;  // no key at all
    int version = 0;     // 0: it names none
    bool has_cri = false;
    bool has_runtime = false;  // one named execseal
    bool systemd_cgroup = false;
    bool names_imports = false;
    std::vector<std::string> imports;  // as they are written
};

// An Error says where it is no TOML.
Result<ContainerdConfig> read_containerd_config(const std::string& text);

Result<std::vector<FileEdit>> containerd_edits(const NodePlace& place, InstallDirection direction);

// The folders of a k3s or rke2 on this node that has been started once.
std::vector<std::string> rancher_folders(const std::string& root);

}  // namespace execseal
