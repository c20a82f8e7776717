// search_right: whether the kernel lets a task search a folder.
//
// inode_permission() for MAY_EXEC of a directory (fs/namei.c): owner, access list, group, mode,
// then the capabilities. Only for choosing between two errors, never for letting pass. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "hook/os/path_calls.h"
#include "hook/os/task_ids.h"
#include "hook/os/task_rights.h"

namespace execseal {

// kUnknown: the file system asks somebody else, or it cannot be told whose the folder is.
enum class SearchRight : std::uint8_t { kUnknown, kNo, kYes };

struct SearchedFolder {
    FileStatus status;
    std::string_view access_list;  // see access_list_of()
    bool by_mode = true;           // see decides_by_mode()
};

SearchRight search_right(const SearchedFolder& folder, const TaskIds& ids,
                         const TaskRights& rights);

// Whoever asks: everybody may, and no list says otherwise.
bool is_open_to_all(const SearchedFolder& folder);

}  // namespace execseal
