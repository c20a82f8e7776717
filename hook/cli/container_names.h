// By which words a person may name a container: what stands in one command's table can be pasted
// into another. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

struct ContainerNames {
    std::string id;
    std::string name;  // of its engine or, in Kubernetes, within its pod; empty where it has none
    std::string pod;   // NAMESPACE/NAME, or empty
};

// [NAMESPACE/POD/]NAME, quoted as a shell word; empty where it has no name.
std::string shown_name(const ContainerNames& container);

// kBeginning: of the id alone, which another may share.
enum class NameMatch { kNone, kBeginning, kWhole };

// A whole match is the id, the name, NAMESPACE/POD, NAMESPACE/POD/NAME, or one of them as
// shown_name() quotes it.
NameMatch match_container(const ContainerNames& container, std::string_view wanted);

// How `wanted` is meant for those that were seen in events: of the names, a whole match leaves no
// room for beginnings. One name is one container, whatever its ids: it was started again; a pod's
// name means all its containers. An Error where it means more than one: it lists them.
Result<NameMatch> meaning_among(const std::vector<ContainerNames>& seen, const std::string& wanted);

// The place in `containers` of the one that is meant. An Error where none is, or more than one: it
// lists them.
Result<std::size_t> choose_container(const std::vector<ContainerNames>& containers,
                                     const std::string& wanted);

}  // namespace execseal
