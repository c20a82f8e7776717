#include "hook/exec/search_right.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

FileStatus folder_of(uid_t uid, gid_t gid, mode_t mode) {
    FileStatus status;
    status.uid = uid;
    status.gid = gid;
    status.mode = mode;
    return status;
}

TaskIds ids_of(uid_t uid, gid_t gid) {
    TaskIds ids;
    ids.fsuid = uid;
    ids.fsgid = gid;
    return ids;
}

// An access list with a named user and a mask, acl(5).
std::string list_of(std::uint32_t user, char user_rights, char mask, char others) {
    std::string list("\x02\0\0\0", 4);
    const auto add = [&](char tag, char rights, std::uint32_t id) {
        list += {tag, 0, rights, 0};
        for (int byte = 0; byte < 4; ++byte) {
            list += static_cast<char>(id >> 8 * byte & 0xffU);
        }
    };
    add(1, 7, ~0U);
    add(2, user_rights, user);
    add(4, 5, ~0U);
    add(16, mask, ~0U);
    add(32, others, ~0U);
    return list;
}

const TaskRights kNoRights{};

TEST(SearchRight, GoesByOwnerGroupAndOthers) {
    const FileStatus folder = folder_of(1000, 2000, 0710);
    EXPECT_EQ(search_right({folder, "", true}, ids_of(1000, 1), kNoRights), SearchRight::kYes);
    EXPECT_EQ(search_right({folder, "", true}, ids_of(1, 2000), kNoRights), SearchRight::kYes);
    EXPECT_EQ(search_right({folder, "", true}, ids_of(1, 1), kNoRights), SearchRight::kNo);
    TaskRights grouped;
    grouped.groups = {2000};
    EXPECT_EQ(search_right({folder, "", true}, ids_of(1, 1), grouped), SearchRight::kYes);
}

TEST(SearchRight, AnAccessListComesBeforeTheMode) {
    const FileStatus folder = folder_of(0, 0, 0755);
    const std::string refuses = list_of(1000, 4, 5, 5);
    EXPECT_FALSE(is_open_to_all({folder, refuses, true}));
    EXPECT_EQ(search_right({folder, refuses, true}, ids_of(1000, 1), kNoRights), SearchRight::kNo);
    EXPECT_EQ(search_right({folder, refuses, true}, ids_of(1001, 1), kNoRights), SearchRight::kYes);
    const FileStatus closed = folder_of(0, 0, 0710);
    EXPECT_EQ(search_right({closed, list_of(1000, 1, 5, 0), true}, ids_of(1000, 1), kNoRights),
              SearchRight::kYes);
    EXPECT_EQ(search_right({closed, list_of(1000, 1, 4, 0), true}, ids_of(1000, 1), kNoRights),
              SearchRight::kNo)
        << "the mask";
    // The kernel does not look at a list where the mask is empty (acl_permission_check()).
    const FileStatus masked = folder_of(0, 0, 0701);
    EXPECT_EQ(search_right({masked, list_of(1000, 1, 0, 1), true}, ids_of(1000, 1), kNoRights),
              SearchRight::kYes);
}

TEST(SearchRight, ACapabilityCountsForMappedIdsOnly) {
    TaskRights rights;
    rights.may_search_all = true;
    rights.uids = rights.gids = {{100000, 1000}};
    EXPECT_EQ(search_right({folder_of(100005, 100005, 0), "", true}, ids_of(100000, 1), rights),
              SearchRight::kYes);
    EXPECT_EQ(search_right({folder_of(0, 0, 0700), "", true}, ids_of(100000, 1), rights),
              SearchRight::kNo);
}

// A file system that asks somebody else, or a folder of nobody: what it is for the mode and what
// the kernel says may differ.
TEST(SearchRight, IsUnknownWhereTheModeDoesNotDecide) {
    const FileStatus closed = folder_of(0, 0, 0700);
    EXPECT_EQ(search_right({closed, "", false}, ids_of(1000, 1), kNoRights), SearchRight::kUnknown);
    EXPECT_EQ(search_right({folder_of(0, 0, 0755), "", false}, ids_of(1000, 1), kNoRights),
              SearchRight::kYes);
    const FileStatus nobodys = folder_of(65534, 65534, 0700);
    EXPECT_EQ(search_right({nobodys, "", true}, ids_of(65534, 1), kNoRights),
              SearchRight::kUnknown);
    EXPECT_EQ(search_right({nobodys, "", true}, ids_of(1000, 1), kNoRights), SearchRight::kNo);
}

}  // namespace
}  // namespace execseal
