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

std::string pack_start(const ContainerStart& start) {
    const std::string uids = start.maps.uid.text();
    const std::string gids = start.maps.gid.text();
    std::string text(room_for(start, uids, gids), '\0');
    FlatWriter out(std::as_writable_bytes(std::span(text)));
    out.string(kMark);
    root_fields(out, start.root);
    out.string(uids);
    out.string(gids);
    mounts_fields(out, start.mounts);
    text.resize(out.size());
    return text;
}

Result<ContainerStart> unpack_start(std::string_view text) {
    FlatReader in(std::as_bytes(std::span(text)));
    if (in.string() != kMark) {
        return make_error("expected what a supervisor keeps of a container's start");
    }
    RootIdentity root;
    root_fields(in, root);
    const auto uids = IdMap::parse(in.string(), MapReader::kOutside);
    const auto gids = IdMap::parse(in.string(), MapReader::kOutside);
    if (!uids || !gids) {
        return uids ? gids.error() : uids.error();
    }
    ContainerMounts mounts;
    mounts_fields(in, mounts);
    if (!in.done()) {
        return make_error("expected the whole of what a supervisor keeps of a container's start");
    }
    return ContainerStart{std::move(root), std::move(mounts), {*uids, *gids}};
}

}  // namespace execseal
