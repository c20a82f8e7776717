// podman_spec: which container a config.json belongs to that podman hands to a precreate hook.
//
// The document names neither the container's id nor its bundle, and podman's command line and
// environment know neither (libpod/container_internal_linux.go generateSpec(), 4.3.1). Both are
// read from what podman itself puts into it: the cgroup's name and the files that it mounts from
// the container's own directory. Must never guess: sources that contradict each other, or a bundle
// that does not exist, are an Error, since the createRuntime hook has to arrive at the same plan.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

struct PodmanContainer {
    std::string id;
    std::string bundle;  // <graphroot>/<driver>-containers/<id>/userdata
};

// `graph_roots`: where podman's storage may lie when the document does not tell (a --rootfs
// container in the host's IPC namespace). A directory that is named by the id decides.
Result<PodmanContainer> podman_container_of(
    const nlohmann::ordered_json& spec, const std::vector<std::string>& graph_roots,
    const std::function<bool(const std::string& directory)>& exists);

}  // namespace execseal
