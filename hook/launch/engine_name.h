// The name that a person knows a container by, where no annotation has it: podman and Docker keep
// it in files of their own.
#pragma once

#include <string>

namespace execseal {

// By the bundle's place: podman's lies below its storage, whose containers.json names every
// container; Docker's config.json mounts /etc/hostname out of the container's folder, where
// config.v2.json has the name. Empty where neither says so: a name is for people only, so that what
// cannot be read is no failure. Reads files, any thread.
std::string name_by_engine(const std::string& bundle, const std::string& container_id);

}  // namespace execseal
