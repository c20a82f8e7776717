// container_start: what names and ids meant when the container started, kept for a later
// supervisor of the same container.
//
// Its first process may have chrooted, mounted over its programs or made itself a user namespace
// since: nothing of this can be learnt from it any more. The text is for the same program; bytes
// of any kind may stand in it.
#pragma once

#include <string>
#include <string_view>

#include "hook/exec/facts.h"
#include "hook/exec/flat_message.h"
#include "hook/exec/program.h"

namespace execseal {

// Kept in kStartFile of the container's state directory.
struct ContainerStart {
    RootIdentity root;
    ContainerMounts mounts;
    IdMaps maps;
};

// For FlatWriter and FlatReader: the fields of each, in order.
template <class Wire, class Root>
void root_fields(Wire& wire, Root& root) {
    wire.field(root.directory.device);
    wire.field(root.directory.inode);
    wire.field(root.mount_namespace.device);
    wire.field(root.mount_namespace.inode);
    wire.field(root.mount);
    wire.field(root.prefix);
}

template <class Wire, class Mounts>
void mounts_fields(Wire& wire, Mounts& mounts) {
    wire.list(mounts, [&](auto& mount) {
        wire.field(mount.mount);
        wire.field(mount.place);
    });
}

std::string pack_start(const ContainerStart& start);
// An Error: it is not whole, or not what pack_start() writes.
Result<ContainerStart> unpack_start(std::string_view text);

}  // namespace execseal
