// The answers of a path walk against the kernel's own: credentials x owners x modes x kinds of
// path.
#include "hook/exec/path_walk.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "hook/os/byte_io.h"
#include "tests/kernel/child_process.h"
#include "tests/scratch_folder.h"

namespace execseal {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t bit(unsigned capability) {
    return std::uint64_t{1} << capability;
}

void keep_capabilities(std::uint64_t kept) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> sets{};
    if (::syscall(SYS_capget, &header, sets.data()) != 0) {
        ::_exit(2);
    }
    for (unsigned half = 0; half < 2; ++half) {
        sets[half].permitted &= static_cast<std::uint32_t>(kept >> 32 * half);
        sets[half].effective = sets[half].permitted;
    }
    if (::syscall(SYS_capset, &header, sets.data()) != 0) {
        ::_exit(2);
    }
}

void become(uid_t uid, std::vector<gid_t> groups, std::uint64_t kept) {
    (void)::prctl(PR_SET_KEEPCAPS, 1);
    if (::setgroups(groups.size(), groups.data()) != 0 || ::setresgid(uid, uid, uid) != 0 ||
        ::setresuid(uid, uid, uid) != 0) {
        ::_exit(2);
    }
    keep_capabilities(kept);
    // Who changed its uid is not dumpable, and its /proc/self belongs to root.
}

struct Credentials {
    const char* name;
    bool own_user_namespace;
    std::function<void()> take;
};

std::vector<Credentials> all_credentials() {
    constexpr std::uint64_t kAll = ~std::uint64_t{0};
    const std::uint64_t search = bit(CAP_DAC_OVERRIDE) | bit(CAP_DAC_READ_SEARCH);
    return {
        {"root", false, [] {}},
        {"root without DAC capabilities", false, [=] { become(0, {}, kAll & ~search); }},
        {"a user", false, [] { become(1000, {}, 0); }},
        {"a user with a group", false,
         [] {
             become(1000, {5, 2000}, 0);
         }},
        {"a user with DAC_OVERRIDE", false, [] { become(1000, {}, bit(CAP_DAC_OVERRIDE)); }},
        {"a user with DAC_READ_SEARCH", false, [] { become(1000, {}, bit(CAP_DAC_READ_SEARCH)); }},
        {"root of a user namespace", true, [=] { become(0, {}, kAll); }},
        {"root of a user namespace without capabilities", true, [] { become(0, {}, 0); }},
        {"a user of a user namespace", true, [] { become(1, {}, 0); }},
    };
}

// acl(5): one entry of an access list.
struct Entry {
    std::uint16_t tag;
    std::uint16_t rights;
    std::uint32_t id;
};
constexpr std::uint32_t kNoId = 0xffffffff;

// The access list of a folder whose owner, others and mask have these rights, with one named entry.
void set_list(const fs::path& folder, std::uint16_t others, std::uint16_t mask, Entry named) {
    const std::vector<Entry> entries =
        named.tag == 2
            ? std::vector<Entry>{{1, 7, kNoId},
                                 named,
                                 {4, 0, kNoId},
                                 {16, mask, kNoId},
                                 {32, others, kNoId}}
            : std::vector<Entry>{
                  {1, 7, kNoId}, {4, 0, kNoId}, named, {16, mask, kNoId}, {32, others, kNoId}};
    std::string bytes("\x02\0\0\0", 4);
    bytes.append(reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(Entry));
    ASSERT_EQ(::setxattr(folder.c_str(), "system.posix_acl_access", bytes.data(), bytes.size(), 0),
              0)
        << folder << ": " << errno;
}

class PathWalkKernel : public ::testing::Test {
  protected:
    void SetUp() override {
        ASSERT_EQ(::geteuid(), 0U) << "needs root";
        // A file system that has access lists and can be mounted with other ids.
        ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
        ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        ASSERT_EQ(::mount("none", root_.c_str(), "tmpfs", 0, "mode=755"), 0);
        fs::create_directory(root_ / "work");
        populate();
        populate_lists();
        mount_with_other_ids();
    }
    void TearDown() override {
        (void)::umount2((root_ / "mapped").c_str(), MNT_DETACH);
        (void)::umount2(root_.c_str(), MNT_DETACH);
    }

    void add_paths(const std::string& name) {
        for (const char* rest : {"/file", "/absent", "/file/x"}) {
            paths_.push_back("../" + name + rest);
        }
    }

    void populate_lists() {
        int number = 0;
        for (const Entry named : {Entry{2, 1, 1000}, Entry{2, 0, 1000}, Entry{2, 1, 100001},
                                  Entry{8, 1, 2000}, Entry{8, 0, 2000}, Entry{8, 1, 5}}) {
            for (const std::uint16_t others : {std::uint16_t{0}, std::uint16_t{5}}) {
                for (const std::uint16_t mask :
                     {std::uint16_t{0}, std::uint16_t{4}, std::uint16_t{5}}) {
                    const std::string name = "l" + std::to_string(number++);
                    fs::create_directory(root_ / name);
                    std::ofstream(root_ / name / "file") << "no program";
                    ASSERT_EQ(::chmod((root_ / name / "file").c_str(), 0755), 0);
                    set_list(root_ / name, others, mask, named);
                    add_paths(name);
                }
            }
        }
    }

    // On "mapped" what belongs to the ids 0 to 1999 belongs to 1000 to 2999; the rest to nobody.
    void mount_with_other_ids() {
        auto go = make_pipe();
        ASSERT_TRUE(go.has_value());
        ChildProcess child([&](int report) {
            if (::unshare(CLONE_NEWUSER) != 0) {
                ::_exit(2);
            }
            ChildProcess::send(report, 0);
            char end = 0;
            (void)::read(go->read.get(), &end, 1);
        });
        int ready = -1;
        ASSERT_TRUE(child.receive(ready));
        map_ids(child.pid(), "0 1000 2000\n");
        const std::string proc = "/proc/" + std::to_string(child.pid()) + "/ns/user";
        const UniqueFd users(::open(proc.c_str(), O_RDONLY | O_CLOEXEC));
        const UniqueFd tree(
            ::open_tree(AT_FDCWD, root_.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
        ASSERT_TRUE(users.valid() && tree.valid());
        mount_attr attributes{};
        attributes.attr_set = MOUNT_ATTR_IDMAP;
        attributes.userns_fd = static_cast<std::uint64_t>(users.get());
        ASSERT_EQ(::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes), 0)
            << errno;
        fs::create_directory(root_ / "mapped");
        ASSERT_EQ(::move_mount(tree.get(), "", AT_FDCWD, (root_ / "mapped").c_str(),
                               MOVE_MOUNT_F_EMPTY_PATH),
                  0);
        for (int number = 0; number < 40; ++number) {
            add_paths("mapped/d" + std::to_string(number));
        }
        for (int number = 0; number < 36; ++number) {
            add_paths("mapped/l" + std::to_string(number));
        }
        ASSERT_EQ(::write(go->write.get(), "1", 1), 1);
    }

    void populate() {
        constexpr std::array<std::pair<uid_t, gid_t>, 5> kOwners{
            {{0, 0}, {1000, 1000}, {0, 2000}, {100001, 100001}, {100001, 7}}};
        int number = 0;
        for (const auto& [uid, gid] : kOwners) {
            for (const mode_t mode : {0700U, 0750U, 0711U, 0755U, 0070U, 0007U, 0005U, 0000U}) {
                const std::string name = "d" + std::to_string(number++);
                const fs::path directory = root_ / name;
                fs::create_directory(directory);
                // Runs nowhere: the kernel says ENOEXEC when it has come that far.
                std::ofstream(directory / "file") << "no program";
                ASSERT_EQ(::chmod((directory / "file").c_str(), 0755), 0);
                fs::create_symlink(name + "/absent", root_ / (name + "-absent"));
                fs::create_symlink(root_ / name / "file", root_ / (name + "-file"));
                ASSERT_EQ(::chown(directory.c_str(), uid, gid), 0);
                ASSERT_EQ(::chmod(directory.c_str(), mode), 0);
                for (const std::string& path :
                     {"../" + name + "/file", "../" + name + "/absent", "../" + name + "/file/x",
                      "../" + name + "/../" + name + "/absent", "../" + name + "-absent",
                      (root_ / (name + "-file")).string(), (root_ / name / "absent").string()}) {
                    paths_.push_back(path);
                }
            }
        }
        for (const char* path : {"/proc/self/fd/999", "/dev/fd/999", "/proc/self/fd/50",
                                 "/dev/fd/50", "/proc/self/absent", "../absent", "./.", ""}) {
            paths_.emplace_back(path);
        }
    }

    // One errno a path, as the kernel gives it to these credentials.
    void run_child(const Credentials& credentials, int report, int go) const {
        const int file = ::open("/etc/hostname", O_RDONLY);
        if (::dup3(file, 50, O_CLOEXEC) != 50 || ::chdir((root_ / "work").c_str()) != 0) {
            ::_exit(2);
        }
        if (credentials.own_user_namespace && ::unshare(CLONE_NEWUSER) != 0) {
            ::_exit(2);
        }
        ChildProcess::send(report, 0);
        char mapped = 0;
        if (::read(go, &mapped, 1) != 1) {
            ::_exit(2);
        }
        credentials.take();
        char* const none[] = {nullptr};
        for (const std::string& path : paths_) {
            ::execve(path.c_str(), none, none);
            ChildProcess::send(report, errno);
        }
    }

    static void map_ids(pid_t pid, const std::string& line = "0 100000 1000\n") {
        for (const char* file : {"uid_map", "gid_map"}) {
            std::ofstream map("/proc/" + std::to_string(pid) + "/" + file);
            map << line << std::flush;
            ASSERT_TRUE(map.good()) << file;
        }
    }

    ScratchFolder folder_;
    fs::path root_ = folder_.path();
    std::vector<std::string> paths_;
};

TEST_F(PathWalkKernel, GivesNoAnswerThatDiffersFromTheKernels) {
    int combinations = 0;
    int answers = 0;
    int denials = 0;
    int unknown = 0;
    for (const Credentials& credentials : all_credentials()) {
        SCOPED_TRACE(credentials.name);
        auto go = make_pipe();
        ASSERT_TRUE(go.has_value());
        ChildProcess child([&](int report) { run_child(credentials, report, go->read.get()); });
        int ready = -1;
        ASSERT_TRUE(child.receive(ready));
        if (credentials.own_user_namespace) {
            map_ids(child.pid());
        }
        ASSERT_EQ(::write(go->write.get(), "1", 1), 1);
        std::vector<int> kernels;
        for (std::size_t at = 0; at < paths_.size(); ++at) {
            int error = 0;
            ASSERT_TRUE(child.receive(error));
            kernels.push_back(error);
        }
        const auto view = CallerView::open(child.tid());
        ASSERT_TRUE(view.has_value()) << view.error().text();
        for (std::size_t at = 0; at < paths_.size(); ++at) {
            ++combinations;
            const auto ours = walk_path(*view, view->cwd.get(), paths_[at], LastLink::kFollow);
            if (!ours && ours.error().code == 0) {
                ++unknown;  // refused by its own rule
                EXPECT_TRUE(paths_[at].starts_with("../mapped/")) << paths_[at];
            } else if (!ours) {
                ++answers;
                EXPECT_EQ(ours.error().code, kernels[at]) << paths_[at];
                denials += kernels[at] == EACCES ? 1 : 0;
            } else {
                // There, so the kernel decides: it is no program, or the caller may not have it.
                EXPECT_TRUE(kernels[at] == ENOEXEC || kernels[at] == EACCES)
                    << paths_[at] << ": " << kernels[at];
            }
        }
    }
    EXPECT_GE(combinations, 4000);
    EXPECT_GE(answers, 1500);
    EXPECT_GE(denials, 500);
    // Only where nobody owns the folder.
    EXPECT_LE(unknown, 300);
}

}  // namespace
}  // namespace execseal
