#include "hook/exec/container_start.h"

#include <cstdint>
#include <span>
#include <utility>

namespace execseal {
namespace {

constexpr std::string_view kMark = "execseal start 1";

std::size_t room_for(const ContainerStart& start, const std::string& uids,
                     const std::string& gids) {
    constexpr std::size_t kNumbers = 64 * sizeof(std::uint64_t);
    std::size_t room = kNumbers + start.root.prefix.size() + uids.size() + gids.size();
    for (const ContainerMount& mount : start.mounts) {
        room += mount.place.size() + 2 * sizeof(std::uint64_t);
    }
    return room;
}

}  // namespace

void put_root(FlatWriter& out, const RootIdentity& root) {
    out.number(root.directory.device);
    out.number(root.directory.inode);
    out.number(root.mount_namespace.device);
    out.number(root.mount_namespace.inode);
    out.number(root.mount);
    out.string(root.prefix);
}

RootIdentity get_root(FlatReader& in) {
    RootIdentity root;
    root.directory.device = in.number();
    root.directory.inode = in.number();
    root.mount_namespace.device = in.number();
    root.mount_namespace.inode = in.number();
    root.mount = in.number();
    root.prefix = in.string();
    return root;
}

std::string pack_start(const ContainerStart& start) {
    const std::string uids = start.maps.uid.text();
    const std::string gids = start.maps.gid.text();
    std::string text(room_for(start, uids, gids), '\0');
    FlatWriter out(std::as_writable_bytes(std::span(text)));
    out.string(kMark);
    put_root(out, start.root);
    out.string(uids);
    out.string(gids);
    out.number(start.mounts.size());
    for (const ContainerMount& mount : start.mounts) {
        out.number(mount.mount);
        out.string(mount.place);
    }
    text.resize(out.size());
    return text;
}

Result<ContainerStart> unpack_start(std::string_view text) {
    FlatReader in(std::as_bytes(std::span(text)));
    if (in.string() != kMark) {
        return make_error("expected what a supervisor keeps of a container's start");
    }
    RootIdentity root = get_root(in);
    const auto uids = IdMap::parse(in.string(), MapReader::kOutside);
    const auto gids = IdMap::parse(in.string(), MapReader::kOutside);
    if (!uids || !gids) {
        return uids ? gids.error() : uids.error();
    }
    ContainerMounts mounts;
    for (std::size_t left = in.count(); left > 0; --left) {
        ContainerMount mount;
        mount.mount = in.number();
        mount.place = in.string();
        mounts.push_back(std::move(mount));
    }
    if (!in.done()) {
        return make_error("expected the whole of what a supervisor keeps of a container's start");
    }
    return ContainerStart{std::move(root), std::move(mounts), {*uids, *gids}};
}

}  // namespace execseal
