// The resolver against real file systems, seen from outside a container's namespaces.
#include "hook/exec/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <memory>

#include "hook/exec/script.h"
#include "hook/exec/target.h"
#include "tests/kernel/tiny_root.h"

namespace execseal {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

constexpr const char* kGlibcLoader = "/lib64/ld-linux-x86-64.so.2";
constexpr int kMemfd = 50;
constexpr int kScript = 51;
constexpr int kBinDirectory = 52;
constexpr int kDeleted = 53;

void populate(const std::string& root) {
    copy_program(EXECSEAL_TARGETS_DIR "/print_argv", root + "/bin/tool");
    copy_program("/bin/busybox", root + "/bin/busybox");
    fs::create_symlink("busybox", root + "/bin/sh");
    fs::create_hard_link(root + "/bin/busybox", root + "/bin/ls");
    copy_program("/bin/busybox", root + "/opt/renamed");
    copy_program(kGlibcLoader, root + "/usr/lib/ld-2.36.so");
    fs::create_directories(root + "/lib64");
    fs::create_symlink("/usr/lib/ld-2.36.so", root + kGlibcLoader);
    copy_program(kGlibcLoader, root + "/tmp/fake-loader");
    copy_program("/bin/true", root + "/usr/bin/dynamic");
    fs::create_symlink("/usr/bin/dynamic", root + "/bin/absolute-link");
    fs::create_symlink("../../../../../../usr/bin/dynamic", root + "/bin/climbing-link");
    fs::create_symlink("loop-b", root + "/bin/loop-a");
    fs::create_symlink("loop-a", root + "/bin/loop-b");
    fs::create_symlink("/proc/self/fd", root + "/tmp/fd");
    write_file(root + "/bin/script", "#!/bin/tool -x  y \necho\n");
    write_file(root + "/bin/shell-script", "#!/bin/sh -e\necho\n");
    write_file(root + "/bin/script-of-script", "#!/bin/script arg\n");
    write_file(root + "/bin/no-interpreter", "#!/bin/missing\n");
    write_file(root + "/bin/plain", "text", 0644);
    write_file(root + "/bin/text", "text without a first line");
    write_file(root + "/bin/d1", "#!/bin/tool\n");
    for (int i = 2; i <= kMaxInterpreters + 1; ++i) {
        write_file(root + "/bin/d" + std::to_string(i), "#!/bin/d" + std::to_string(i - 1) + "\n");
    }
    copy_program(EXECSEAL_TARGETS_DIR "/print_argv", root + "/jail/bin/tool");
    write_file(root + "/closed/tool", "x");
    (void)::chmod((root + "/closed").c_str(), 0700);
}

void open_descriptors() {
    const int memfd = ::memfd_create("payload", MFD_CLOEXEC);
    (void)!::write(memfd,
                   "\x7f"
                   "ELF",
                   4);
    (void)::fchmod(memfd, 0755);
    (void)::dup2(memfd, kMemfd);
    (void)::dup2(::open("/bin/script", O_RDONLY | O_CLOEXEC), kScript);
    (void)::dup2(::open("/bin", O_RDONLY | O_DIRECTORY | O_CLOEXEC), kBinDirectory);
    write_file("/tmp/gone", "x");
    (void)::dup2(::open("/tmp/gone", O_RDONLY | O_CLOEXEC), kDeleted);
    (void)::unlink("/tmp/gone");
}

class ProgramInRoot : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        root_ = std::make_unique<TinyRoot>(populate, [] {
            open_descriptors();
            (void)!::chdir("/tmp");
        });
    }
    static void TearDownTestSuite() { root_.reset(); }
    void SetUp() override {
        if (!root_->ready()) {
            GTEST_SKIP() << "CAP_SYS_ADMIN is missing: no mount namespace can be made";
        }
    }

    static Program resolve_of(Tid tid, const std::string& path, const Strings& argv,
                              int dirfd = AT_FDCWD, unsigned flags = 0,
                              const std::optional<RootIdentity>& container = std::nullopt) {
        ExecSnapshot request;
        request.outcome = SnapshotOutcome::kComplete;
        request.call.tid = tid;
        request.call.dirfd = dirfd;
        request.call.flags = flags;
        request.path = path;
        request.argv = make_block(argv);
        Program program;
        auto view = CallerView::open(tid);
        if (!view) {
            ADD_FAILURE() << view.error().text();
            return program;
        }
        ProgramResolver resolver;
        resolver.resolve(request, *view, container, open_exec_target(request.call, path, *view),
                         program);
        return program;
    }
    static Program resolve(const std::string& path, const Strings& argv = {"zero"},
                           int dirfd = AT_FDCWD, unsigned flags = 0) {
        return resolve_of(root_->tid(), path, argv, dirfd, flags);
    }
    static std::string exe(const std::string& path, int dirfd = AT_FDCWD, unsigned flags = 0) {
        const Program program = resolve(path, {"zero"}, dirfd, flags);
        return program.views.empty() ? "none: " + program.reason : program.views[0].exe;
    }
    static int refusal(const std::string& path, int dirfd = AT_FDCWD, unsigned flags = 0) {
        const Program program = resolve(path, {"zero"}, dirfd, flags);
        return program.outcome == ProgramOutcome::kRefused ? program.error : 0;
    }
    static FileId id_of(const std::string& inside) {
        return status_at(root_->path(inside)).value().id;
    }

    // NOLINTNEXTLINE(readability-identifier-naming): a member like any other
    static std::unique_ptr<TinyRoot> root_;
};
std::unique_ptr<TinyRoot> ProgramInRoot::root_;

TEST_F(ProgramInRoot, NamesFilesInsideTheContainer) {
    EXPECT_EQ(exe("/bin/tool"), "/bin/tool");
    EXPECT_EQ(exe("/bin/../bin//./tool"), "/bin/tool");
    EXPECT_EQ(exe("/../../bin/tool"), "/bin/tool");
    EXPECT_EQ(exe("/bin/absolute-link"), "/usr/bin/dynamic");
    EXPECT_EQ(exe("/bin/climbing-link"), "/usr/bin/dynamic");
    EXPECT_EQ(exe("../bin/tool"), "/bin/tool");
    EXPECT_EQ(exe("./fake-loader"), "/tmp/fake-loader");
    const Program program = resolve("/bin/tool", {"a", "b"});
    ASSERT_EQ(program.outcome, ProgramOutcome::kFound) << program.reason;
    EXPECT_EQ(program.views[0].argv, (Strings{"a", "b"}));
    EXPECT_EQ(program.files[program.executed].id, id_of("/bin/tool"));
    EXPECT_EQ(program.final_argv, make_block({"a", "b"}));
    EXPECT_EQ(program.cwd, "/tmp");
}

TEST_F(ProgramInRoot, RefusesWhatTheKernelRefuses) {
    EXPECT_EQ(refusal("/bin/missing"), ENOENT);
    EXPECT_EQ(refusal("missing"), ENOENT);
    EXPECT_EQ(refusal("/proc/1/missing"), ENOENT);
    EXPECT_EQ(refusal(""), ENOENT);
    EXPECT_EQ(refusal("/bin/tool/x"), ENOTDIR);
    EXPECT_EQ(refusal("/bin/tool/"), ENOTDIR);
    EXPECT_EQ(refusal("/bin/loop-a"), ELOOP);
    EXPECT_EQ(refusal("/bin"), EACCES);
    EXPECT_EQ(refusal("/bin/plain"), EACCES);
    EXPECT_EQ(refusal("/" + std::string(256, 'n')), ENAMETOOLONG);
    EXPECT_EQ(refusal("tool", 77), EBADF);
    EXPECT_EQ(refusal("x", kScript), ENOTDIR);
    EXPECT_EQ(refusal("/bin/no-interpreter"), ENOENT);
    EXPECT_EQ(refusal("/bin/absolute-link", AT_FDCWD, AT_SYMLINK_NOFOLLOW), ELOOP);
    EXPECT_EQ(refusal("/bin/tool", AT_FDCWD, AT_SYMLINK_NOFOLLOW), 0);
    EXPECT_EQ(refusal("/bin/tool", AT_FDCWD, 0x8000), EINVAL);
    EXPECT_EQ(refusal("", AT_FDCWD, AT_EMPTY_PATH), EACCES);
    EXPECT_EQ(refusal("/bin/text"), 0);
}

TEST_F(ProgramInRoot, FollowsDescriptorsAndMagicLinksOfTheCaller) {
    EXPECT_EQ(exe("", kMemfd, AT_EMPTY_PATH), "memfd:payload");
    EXPECT_EQ(exe("", kDeleted, AT_EMPTY_PATH), "/tmp/gone (deleted)");
    EXPECT_EQ(exe("", kScript, AT_EMPTY_PATH), "/bin/script");
    EXPECT_EQ(exe("tool", kBinDirectory), "/bin/tool");
    const std::string memfd = std::to_string(kMemfd);
    for (const std::string directory :
         {"/proc/self/fd/", "/proc/1/fd/", "/proc/thread-self/fd/", "/proc/self/task/1/fd/",
          "/tmp/fd/", "/proc/self/root/tmp/fd/", "../proc/self/fd/"}) {
        EXPECT_EQ(exe(directory + memfd), "memfd:payload") << directory;
    }
    EXPECT_EQ(exe("/proc/self/root/bin/tool"), "/bin/tool");
    EXPECT_EQ(exe("/proc/self/cwd/../bin/tool"), "/bin/tool");
    EXPECT_EQ(exe("/proc/self/../../bin/tool"), "/bin/tool");
    EXPECT_EQ(refusal("/proc/self/fd/99"), ENOENT);
    EXPECT_EQ(refusal("/proc/self/fd/" + memfd + "/x"), ENOTDIR);
    // The test program itself: no file of the container's root.
    EXPECT_TRUE(exe("/proc/self/exe").starts_with("unreachable:/")) << exe("/proc/self/exe");
}

TEST_F(ProgramInRoot, BuildsArgvOfScriptsAsTheKernelDoes) {
    const Program script = resolve("/bin/script", {"zero", "one"});
    ASSERT_EQ(script.outcome, ProgramOutcome::kFound) << script.reason;
    ASSERT_EQ(script.views.size(), 2U);
    EXPECT_EQ(script.views[0].exe, "/bin/script");
    EXPECT_EQ(script.views[0].argv, (Strings{"zero", "one"}));
    EXPECT_EQ(script.views[1].role, ViewRole::kInterpreter);
    EXPECT_EQ(script.views[1].exe, "/bin/tool");
    const Strings final_argv{"/bin/tool", "-x  y", "/bin/script", "one"};
    EXPECT_EQ(script.views[1].argv, final_argv);
    EXPECT_EQ(script.final_argv, make_block(final_argv));
    EXPECT_EQ(script.files[script.executed].id, id_of("/bin/tool"));

    const Program nested = resolve("/bin/script-of-script", {"zero", "one"});
    ASSERT_EQ(nested.views.size(), 3U);
    EXPECT_EQ(nested.final_argv, make_block({"/bin/tool", "-x  y", "/bin/script", "arg",
                                             "/bin/script-of-script", "one"}));
    EXPECT_EQ(resolve("", {"zero"}, kScript, AT_EMPTY_PATH).final_argv,
              make_block({"/bin/tool", "-x  y", "/dev/fd/51"}));
    EXPECT_EQ(resolve("script", {"zero"}, kBinDirectory).final_argv,
              make_block({"/bin/tool", "-x  y", "/dev/fd/52/script"}));
    EXPECT_EQ(resolve("../bin/script", {""}).final_argv,
              make_block({"/bin/tool", "-x  y", "../bin/script"}));
}

TEST_F(ProgramInRoot, AllowsAsManyInterpretersAsTheKernel) {
    EXPECT_EQ(refusal("/bin/d5"), 0);
    EXPECT_EQ(resolve("/bin/d5").views.size(), 6U);
    EXPECT_EQ(refusal("/bin/d6"), ELOOP);
}

TEST_F(ProgramInRoot, JudgesBusyboxByItsApplet) {
    for (const auto& [path, argv] : std::vector<std::pair<std::string, Strings>>{
             {"/bin/sh", {"sh", "-c", "id"}},
             {"/bin/busybox", {"busybox", "sh", "-c", "id"}},
             {"/bin/busybox", {"busybox", "busybox", "sh", "-c", "id"}},
             {"/bin/busybox", {"-sh", "-c", "id"}},
             {"/bin/ls", {"sh", "-c", "id"}}}) {
        const Program program = resolve(path, argv);
        ASSERT_EQ(program.views.size(), 2U) << path;
        EXPECT_EQ(program.views[0].role, ViewRole::kProgram);
        EXPECT_EQ(program.views[0].exe, "/bin/sh") << path;
        EXPECT_EQ(program.views[0].argv.size(), 3U);
        EXPECT_EQ(program.views[1].role, ViewRole::kMultiCall);
        EXPECT_EQ(program.views[1].argv, argv);
        EXPECT_EQ(program.files[program.executed].id, id_of("/bin/busybox"));
    }
    EXPECT_EQ(resolve("/bin/ls", {"ls"}).views[0].exe, "/bin/ls");
    EXPECT_EQ(resolve("/bin/busybox", {"busybox", "--list"}).views.size(), 1U);

    const Program script = resolve("/bin/shell-script", {"zero"});
    ASSERT_EQ(script.views.size(), 3U);
    EXPECT_EQ(script.views[1].role, ViewRole::kInterpreter);
    EXPECT_EQ(script.views[1].exe, "/bin/sh");
    EXPECT_EQ(script.views[2].role, ViewRole::kMultiCall);
}

TEST_F(ProgramInRoot, ACopyOfBusyboxUnderAnotherNameProvesNothing) {
    const Program program = resolve("/opt/renamed", {"tool", "x"});
    ASSERT_EQ(program.views.size(), 2U);
    EXPECT_EQ(program.views[0].exe, "/opt/renamed");
    EXPECT_EQ(program.views[1].role, ViewRole::kPossible);
    EXPECT_EQ(program.views[1].exe, "/opt/tool");
}

TEST_F(ProgramInRoot, JudgesALoaderByTheProgramItLoads) {
    const Strings argv{"ld.so", "/usr/bin/dynamic", "x"};
    const Program program = resolve(kGlibcLoader, argv);
    ASSERT_EQ(program.views.size(), 2U) << program.reason;
    EXPECT_EQ(program.views[0].role, ViewRole::kProgram);
    EXPECT_EQ(program.views[0].exe, "/usr/bin/dynamic");
    EXPECT_EQ(program.views[0].argv, (Strings{"/usr/bin/dynamic", "x"}));
    EXPECT_EQ(program.views[1].role, ViewRole::kLoader);
    EXPECT_EQ(program.views[1].exe, "/usr/lib/ld-2.36.so");
    EXPECT_EQ(program.files[program.executed].id, id_of("/usr/lib/ld-2.36.so"));
    EXPECT_EQ(program.final_argv, make_block(argv));
}

TEST_F(ProgramInRoot, AFakeLoaderOrOtherLibrariesDoNotPassForTheProgram) {
    for (const auto& [path, argv] : std::vector<std::pair<std::string, Strings>>{
             {"/tmp/fake-loader", {"ld.so", "/usr/bin/dynamic"}},
             {kGlibcLoader, {"ld.so", "--preload", "/tmp/x.so", "/usr/bin/dynamic"}},
             {kGlibcLoader, {"ld.so", "--list", "/usr/bin/dynamic"}}}) {
        const Program program = resolve(path, argv);
        ASSERT_EQ(program.views.size(), 2U) << path;
        EXPECT_EQ(program.views[0].exe, path == kGlibcLoader ? "/usr/lib/ld-2.36.so" : path);
        EXPECT_EQ(program.views[1].role, ViewRole::kPossible);
        EXPECT_EQ(program.views[1].exe, "/usr/bin/dynamic");
    }
    EXPECT_EQ(resolve(kGlibcLoader, {"ld.so", "/bin/missing"}).views.size(), 1U);
    EXPECT_EQ(resolve(kGlibcLoader, {"ld.so"}).views.size(), 1U);
    EXPECT_EQ(resolve("/bin/tool", {"tool", "/usr/bin/dynamic"}).views.size(), 1U);
}

// Runs `inside` in a second process of the container, then resolves for it.
Program resolve_elsewhere(const TinyRoot& root, const std::function<void()>& inside,
                          const std::function<Program(Tid)>& resolve) {
    ChildProcess child([&](int report) {
        const UniqueFd directory(
            ::open(root.path("/").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        const UniqueFd mounts(
            ::open(("/proc/" + std::to_string(root.tid().value) + "/ns/mnt").c_str(),
                   O_RDONLY | O_CLOEXEC));
        const bool entered = ::setns(mounts.get(), CLONE_NEWNS) == 0 &&
                             ::fchdir(directory.get()) == 0 && ::chroot(".") == 0;
        if (entered) {
            inside();
        }
        ChildProcess::send(report, entered);
    });
    bool entered = false;
    if (!child.receive(entered) || !entered) {
        ADD_FAILURE() << "the child did not get into the container";
        return {};
    }
    return resolve(child.tid());
}

TEST_F(ProgramInRoot, AChrootDoesNotLendTheImagesNames) {
    const RootIdentity container = resolve("/bin/tool").root;
    const auto look = [&](Tid tid) {
        return resolve_of(tid, "/bin/tool", {"zero"}, AT_FDCWD, 0, container);
    };
    const Program control = resolve_elsewhere(
        *root_, [] {}, look);
    ASSERT_FALSE(control.views.empty()) << control.reason;
    EXPECT_EQ(control.views[0].exe, "/bin/tool");

    const Program jailed = resolve_elsewhere(
        *root_, [] { (void)!::chroot("/jail"); }, look);
    ASSERT_FALSE(jailed.views.empty()) << jailed.reason;
    EXPECT_EQ(jailed.views[0].exe, "/jail/bin/tool");

    const Program unshared = resolve_elsewhere(
        *root_, [] { (void)::unshare(CLONE_NEWNS); }, look);
    ASSERT_FALSE(unshared.views.empty()) << unshared.reason;
    EXPECT_EQ(unshared.views[0].exe, "other-mounts:/bin/tool");
}

TEST_F(ProgramInRoot, WhereTheRootIsAProcfsSelfIsTheCaller) {
    const TinyRoot root(populate, [] { (void)!(::chroot("/proc") == 0 && ::chdir("/") == 0); });
    ASSERT_TRUE(root.ready());
    const Program program = resolve_of(root.tid(), "/self/exe", {"zero"});
    EXPECT_EQ(program.outcome, ProgramOutcome::kFound) << program.reason;
    EXPECT_EQ(resolve_of(root.tid(), "/self/missing", {"zero"}).error, ENOENT);
}

TEST_F(ProgramInRoot, AWorkingDirectoryOutsideTheRootGivesNoNameOfTheImage) {
    // As in CVE-2024-21626: the working directory is a descriptor that leaked from the host.
    const UniqueFd host(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Program program = resolve_elsewhere(
        *root_, [&] { (void)!::fchdir(host.get()); },
        [&](Tid tid) { return resolve_of(tid, "bin/true", {"zero"}); });
    ASSERT_FALSE(program.views.empty()) << program.reason;
    EXPECT_TRUE(program.views[0].exe.starts_with("unreachable:")) << program.views[0].exe;
}

TEST_F(ProgramInRoot, AnUnsearchableDirectoryIsAccessDeniedForOthers) {
    const auto look = [&](Tid tid) { return resolve_of(tid, "/closed/missing", {"zero"}); };
    const Program as_root = resolve_elsewhere(
        *root_, [] {}, look);
    EXPECT_EQ(as_root.error, ENOENT);
    const Program as_other = resolve_elsewhere(
        *root_,
        [] {
            (void)!::setgid(1000);
            (void)!::setuid(1000);
        },
        look);
    EXPECT_EQ(as_other.error, EACCES);
}

}  // namespace
}  // namespace execseal
