#include "hook/exec/search_right.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace execseal {
namespace {

// Of an id that the mount or our user namespace does not map (statx(2)); equal to nobody's
// (vfsuid_eq_kuid(), include/linux/mnt_idmapping.h), but a real owner may have that number, too.
constexpr std::uint32_t kOverflowId = 65534;

// include/linux/posix_acl.h, include/uapi/linux/posix_acl_xattr.h
constexpr std::size_t kListHead = 4;
constexpr std::size_t kListEntry = 8;
constexpr std::uint8_t kSearch = 1;
enum Tag : std::uint16_t {
    kUserObj = 1,
    kUser = 2,
    kGroupObj = 4,
    kGroup = 8,
    kMask = 16,
    kOther = 32
};

struct ListEntry {
    std::uint16_t tag = 0;
    bool search = false;
    std::uint32_t id = 0;
};

std::uint32_t little_endian(std::string_view bytes) {
    std::uint32_t value = 0;
    for (std::size_t at = bytes.size(); at-- > 0;) {
        value = value << 8U | static_cast<std::uint8_t>(bytes[at]);
    }
    return value;
}

std::vector<ListEntry> entries_of(std::string_view list) {
    std::vector<ListEntry> entries;
    for (std::size_t at = kListHead; at + kListEntry <= list.size(); at += kListEntry) {
        entries.push_back({static_cast<std::uint16_t>(little_endian(list.substr(at, 2))),
                           (little_endian(list.substr(at + 2, 2)) & kSearch) != 0,
                           little_endian(list.substr(at + 4, 4))});
    }
    return entries;
}

bool is_in_group(const TaskIds& ids, const TaskRights& rights, std::uint32_t group) {
    return group == ids.fsgid ||
           std::find(rights.groups.begin(), rights.groups.end(), group) != rights.groups.end();
}

// posix_acl_permission(), fs/posix_acl.c; the owner's own entry is not asked.
bool list_lets_search(const SearchedFolder& folder, const TaskIds& ids, const TaskRights& rights) {
    const std::vector<ListEntry> entries = entries_of(folder.access_list);
    bool mask = true;
    for (const ListEntry& entry : entries) {
        mask = entry.tag == kMask ? entry.search : mask;
    }
    bool in_a_group = false;
    for (const ListEntry& entry : entries) {
        if (entry.tag == kUser && entry.id == ids.fsuid) {
            return entry.search && mask;
        }
        const bool of_group = entry.tag == kGroupObj || entry.tag == kGroup;
        if (of_group &&
            is_in_group(ids, rights, entry.tag == kGroup ? entry.id : folder.status.gid)) {
            if (entry.search) {
                return mask;
            }
            in_a_group = true;
        }
        if (entry.tag == kOther) {
            return !in_a_group && entry.search;
        }
    }
    return false;
}

bool mode_lets_search(const SearchedFolder& folder, const TaskIds& ids, const TaskRights& rights) {
    const FileStatus& status = folder.status;
    if (status.uid == ids.fsuid) {
        return (status.mode & S_IXUSR) != 0;
    }
    if (!folder.access_list.empty() && (status.mode & S_IRWXG) != 0) {
        return list_lets_search(folder, ids, rights);
    }
    return (status.mode & (is_in_group(ids, rights, status.gid) ? S_IXGRP : S_IXOTH)) != 0;
}

bool has_overflow_id(const SearchedFolder& folder, const TaskIds& ids, const TaskRights& rights) {
    return (folder.status.uid == kOverflowId &&
            (ids.fsuid == kOverflowId || rights.may_search_all)) ||
           (folder.status.gid == kOverflowId &&
            (is_in_group(ids, rights, kOverflowId) || rights.may_search_all));
}

}  // namespace

bool is_open_to_all(const SearchedFolder& folder) {
    constexpr mode_t kAll = S_IXUSR | S_IXGRP | S_IXOTH;
    return (folder.status.mode & kAll) == kAll && folder.access_list.empty();
}

SearchRight search_right(const SearchedFolder& folder, const TaskIds& ids,
                         const TaskRights& rights) {
    if (is_open_to_all(folder)) {
        return SearchRight::kYes;
    }
    if (has_overflow_id(folder, ids, rights)) {
        return SearchRight::kUnknown;
    }
    // privileged_wrt_inode_uidgid(): the capability counts for files of the namespace's ids.
    if (mode_lets_search(folder, ids, rights) ||
        (rights.may_search_all && is_in(rights.uids, folder.status.uid) &&
         is_in(rights.gids, folder.status.gid))) {
        return SearchRight::kYes;
    }
    return folder.by_mode ? SearchRight::kNo : SearchRight::kUnknown;
}

}  // namespace execseal
