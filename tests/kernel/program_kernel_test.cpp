// The resolver against real file systems, seen from outside a container's namespaces.
#include "hook/exec/program.h"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <memory>

#include "hook/exec/naming.h"
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

// As little of a program as the kernel takes: it starts the interpreter at once.
void write_elf_with_interpreter(const std::string& path, const std::string& interpreter) {
    Elf64_Ehdr header{};
    std::copy_n(ELFMAG, SELFMAG, header.e_ident);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    Elf64_Phdr segment{};
    segment.p_type = PT_INTERP;
    segment.p_offset = sizeof header + sizeof segment;
    segment.p_filesz = interpreter.size() + 1;
    std::string text(reinterpret_cast<const char*>(&header), sizeof header);
    text.append(reinterpret_cast<const char*>(&segment), sizeof segment);
    text += interpreter + std::string(1, '\0');
    write_file(path, text);
}

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
    copy_program("/bin/true", root + "/usr/sbin/tool");
    fs::create_symlink("usr/sbin", root + "/sbin");
    fs::create_symlink("tool", root + "/usr/sbin/t");
    fs::create_symlink("/sbin/t", root + "/usr/bin/to-t");
    fs::create_symlink("usr/bin", root + "/link");
    fs::create_symlink("t", root + "/usr/bin/s");
    fs::create_symlink("dynamic", root + "/usr/bin/t");
    fs::create_symlink("/usr/bin/dynamic", root + "/tmp/loose");
    copy_program("/bin/true", root + "/tmp/leased");
    fs::create_symlink("script", root + "/bin/script-link");
    fs::create_symlink("/bin/script", root + "/tmp/script-link");
    fs::create_symlink("/tmp/script-link", root + "/bin/to-loose");
    for (const std::string folder : {"/safe", "/home", "/home/sub"}) {
        fs::create_directories(root + folder);
        fs::create_symlink("/bin/script", root + folder + "/link");
    }
    (void)!::chown((root + "/home").c_str(), 1000, 1000);
    (void)::chmod((root + "/tmp").c_str(), 01777);
    write_elf_with_interpreter(root + "/tmp/calls-busybox", "/bin/busybox");
    write_elf_with_interpreter(root + "/tmp/marked", "/bin/busybox");
    std::ofstream(root + "/tmp/marked", std::ios::app) << "BusyBox v1.0";
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
             {kGlibcLoader, {"ld.so", "--inhibit-rpath", "x", "/usr/bin/dynamic"}},
             {kGlibcLoader, {"ld.so", "--list", "/usr/bin/dynamic"}}}) {
        const Program program = resolve(path, argv);
        ASSERT_EQ(program.views.size(), 2U) << path;
        EXPECT_EQ(program.views[0].exe, path == kGlibcLoader ? "/usr/lib/ld-2.36.so" : path);
        EXPECT_EQ(program.views[1].role, ViewRole::kPossible);
        EXPECT_EQ(program.views[1].exe, "/usr/bin/dynamic");
    }
    const Program altered =
        resolve(kGlibcLoader, {"ld.so", "--preload", "/bin/plain", "--library-path",
                               "/bin:/usr/lib", "/usr/bin/dynamic"});
    ASSERT_EQ(altered.views.size(), 5U) << altered.reason;
    EXPECT_EQ(altered.views[1].exe, "/bin/plain");
    EXPECT_EQ(altered.views[2].exe, "/bin/*");
    EXPECT_EQ(altered.views[3].exe, "/usr/lib/*");
    for (std::size_t i = 1; i < altered.views.size(); ++i) {
        EXPECT_EQ(altered.views[i].role, ViewRole::kPossible);
    }
    EXPECT_EQ(resolve(kGlibcLoader, {"ld.so"}).views.size(), 1U);
    EXPECT_EQ(resolve("/bin/tool", {"tool", "/usr/bin/dynamic"}).views.size(), 1U);
}

TEST_F(ProgramInRoot, ALoadersProgramThatCannotBeKnownIsUnresolved) {
    Strings nested{"ld.so"};
    for (int i = 0; i < 8; ++i) {
        nested.emplace_back(kGlibcLoader);
    }
    nested.emplace_back("/usr/bin/dynamic");
    for (const Strings& argv :
         {Strings{"ld.so", "/bin/missing"}, Strings{"ld.so", "dynamic"}, Strings{"ld.so", "/bin"},
          Strings{"ld.so", "--new-option", "/usr/bin/dynamic"},
          Strings{"ld.so", "--preload", "/tmp/missing.so", "/usr/bin/dynamic"},
          Strings{"ld.so", "--preload", "libc.so.6", "/usr/bin/dynamic"},
          Strings{"ld.so", "--library-path", "/missing", "/usr/bin/dynamic"},
          Strings{"ld.so", "--argv0", "x", "dynamic"}, Strings{"ld.so", "/tmp/loose"}, nested}) {
        const Program program = resolve(kGlibcLoader, argv);
        EXPECT_EQ(program.outcome, ProgramOutcome::kUnresolved) << argv[1];
        EXPECT_NE(program.reason, "") << argv[1];
    }
    // A lease breaks the reader's open. Like everything here it comes after the control.
    EXPECT_EQ(resolve(kGlibcLoader, {"ld.so", "/tmp/leased"}).outcome, ProgramOutcome::kFound);
    (void)std::signal(SIGIO, SIG_IGN);  // which tells the holder of a lease
    const UniqueFd leased(::open(root_->path("/tmp/leased").c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::fcntl(leased.get(), F_SETLEASE, F_WRLCK), 0);
    EXPECT_EQ(resolve(kGlibcLoader, {"ld.so", "/tmp/leased"}).outcome, ProgramOutcome::kUnresolved);
}

TEST_F(ProgramInRoot, EveryLinkOnTheWayIsAName) {
    EXPECT_EQ(resolve("/bin/absolute-link").views[0].names, (Strings{"/bin/absolute-link"}));
    const Program merged = resolve("/link/s");
    ASSERT_EQ(merged.outcome, ProgramOutcome::kFound) << merged.reason;
    EXPECT_EQ(merged.views[0].exe, "/usr/bin/dynamic");
    EXPECT_EQ(merged.views[0].names, (Strings{"/link/s", "/usr/bin/s", "/usr/bin/t"}));
    EXPECT_EQ(resolve("../link/s").views[0].names,
              (Strings{"/link/s", "/usr/bin/s", "/usr/bin/t"}));
    EXPECT_EQ(resolve("/usr/bin/dynamic").views[0].names, Strings{});
    EXPECT_EQ(resolve("//usr/./bin//dynamic").views[0].names, Strings{});
    EXPECT_EQ(resolve("", {"x"}, kMemfd, AT_EMPTY_PATH).views[0].names, Strings{"/payload"});
    EXPECT_EQ(resolve("", {"x"}, kDeleted, AT_EMPTY_PATH).views[0].names, Strings{"/tmp/gone"});
    // /sbin is a link of the root to /usr/sbin: what lies there has both names, however it is
    // asked.
    EXPECT_EQ(resolve("/usr/sbin/tool").views[0].names, Strings{"/sbin/tool"});
    // A link that lies there, too.
    for (const char* asked : {"/usr/sbin/t", "/sbin/../sbin/t", "/sbin/t", "/usr/bin/to-t"}) {
        const auto names = resolve(asked).views[0].names;
        for (const char* name : {"/sbin/t", "/usr/sbin/t", "/sbin/tool"}) {
            EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << asked << " as " << name;
        }
    }
}

TEST_F(ProgramInRoot, ALinkThatOthersCanChangeIsLoose) {
    for (const char* steady : {"/bin/script", "/bin/script-link", "/safe/link"}) {
        const Program program = resolve(steady);
        ASSERT_EQ(program.outcome, ProgramOutcome::kFound) << program.reason;
        EXPECT_EQ(program.views[0].exe, "/bin/script");
        EXPECT_EQ(program.views[0].loose_link, "") << steady;
    }
    for (const char* loose : {"/tmp/script-link", "/home/link", "/bin/to-loose", "/home/sub/link",
                              "script-link", "/proc/1/root/bin/script"}) {
        const Program program = resolve(loose);
        ASSERT_EQ(program.outcome, ProgramOutcome::kFound) << program.reason;
        EXPECT_EQ(program.views[0].exe, "/bin/script");
        EXPECT_NE(program.views[0].loose_link, "") << loose;
        EXPECT_TRUE(program.views[1].loose_link.empty());
    }
    EXPECT_EQ(resolve("", {"x"}, kScript, AT_EMPTY_PATH).views[0].loose_link, "");
    EXPECT_EQ(resolve("/proc/self/fd/" + std::to_string(kScript)).views[0].loose_link, "");
    // What the kernel opens itself is compared after the exec.
    EXPECT_EQ(resolve("/tmp/loose").views[0].loose_link, "");
}

TEST_F(ProgramInRoot, AnElfInterpreterThatIsNoLoaderIsAProgram) {
    const Program program = resolve("/tmp/calls-busybox", {"sh", "-c", "id"});
    ASSERT_EQ(program.outcome, ProgramOutcome::kFound) << program.reason;
    ASSERT_EQ(program.views.size(), 3U);
    EXPECT_EQ(program.views[1].role, ViewRole::kElfInterpreter);
    EXPECT_EQ(program.views[1].exe, "/bin/busybox");
    EXPECT_EQ(program.views[2].role, ViewRole::kPossible);
    EXPECT_EQ(program.views[2].exe, "/bin/sh");
    // A real loader is none.
    EXPECT_EQ(resolve("/usr/bin/dynamic").views.size(), 1U);
}

TEST_F(ProgramInRoot, AMultiCallBinaryHasAnElfInterpreterToo) {
    const Program program = resolve("/tmp/marked", {"cat", "-c", "id"});
    ASSERT_EQ(program.outcome, ProgramOutcome::kFound) << program.reason;
    const auto interpreter = std::find_if(
        program.views.begin(), program.views.end(),
        [](const ProgramView& view) { return view.role == ViewRole::kElfInterpreter; });
    ASSERT_NE(interpreter, program.views.end());
    EXPECT_EQ(interpreter->exe, "/bin/busybox");
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

// What a caller with CAP_SYS_ADMIN does to the container's own mount namespace.
class MountsOfTheStart : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!root_.ready()) {
            GTEST_SKIP() << "CAP_SYS_ADMIN is missing: no mount namespace can be made";
        }
        const auto view = CallerView::open(root_.tid());
        ASSERT_TRUE(view) << view.error().text();
        const auto mounts = read_mounts(*view);
        ASSERT_TRUE(mounts) << mounts.error().text();
        resolver_ = ProgramResolver(std::make_shared<const ContainerMounts>(*mounts));
        const Program first = look(root_.tid(), "/bin/tool");
        ASSERT_EQ(first.outcome, ProgramOutcome::kFound) << first.reason;
        container_ = first.root;
    }

    Program look(Tid tid, const std::string& path) {
        ExecSnapshot request;
        request.outcome = SnapshotOutcome::kComplete;
        request.call.tid = tid;
        request.call.dirfd = AT_FDCWD;
        request.path = path;
        request.argv = make_block({"zero"});
        const auto caller = CallerView::open(tid);
        Program program;
        if (caller) {
            resolver_.resolve(request, *caller, container_,
                              open_exec_target(request.call, path, *caller), program);
        }
        return program;
    }
    static std::string exe_of(const Program& program) {
        return program.views.empty() ? "none: " + program.reason : program.views[0].exe;
    }

    // What a process of the container runs as `path` after it has meddled.
    Program look_after(const std::function<bool()>& meddle, const std::string& path) {
        const std::string proc = "/proc/" + std::to_string(root_.tid().value);
        ChildProcess child([&](int report) {
            const UniqueFd mounts(::open((proc + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
            const UniqueFd root(
                ::open((proc + "/root").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            ChildProcess::send(report, ::setns(mounts.get(), CLONE_NEWNS) == 0 &&
                                           ::fchdir(root.get()) == 0 && ::chroot(".") == 0 &&
                                           meddle());
        });
        bool done = false;
        if (!child.receive(done) || !done) {
            ADD_FAILURE() << "it could not meddle";
            return {};
        }
        return look(child.tid(), path);
    }
    std::string after(const std::function<bool()>& meddle, const std::string& path) {
        return exe_of(look_after(meddle, path));
    }

    static bool mount_on(const char* from, const char* to, unsigned long flags) {
        return ::mount(from, to, nullptr, flags, nullptr) == 0;
    }
    static bool tmpfs_on(const char* to) {
        return ::mount("none", to, "tmpfs", 0, "mode=755") == 0;
    }
    // A new root whose folder `old` is the old one.
    static bool pivot(const char* old) {
        const std::string place = std::string("/safe") + old;
        return tmpfs_on("/safe") && fs::create_directories(place) && ::chdir("/safe") == 0 &&
               ::syscall(SYS_pivot_root, ".", place.c_str() + std::string("/safe/").size()) == 0;
    }

    TinyRoot root_{[](const std::string& root) {
                       populate(root);
                       write_file(root + "/volume/hidden", "#!/bin/tool\n");
                   },
                   [] {
                       (void)tmpfs_on("/volume");
                       copy_program("/usr/bin/dynamic", "/volume/dynamic");
                       (void)::mkdir("/volume/deep", 0755);
                       copy_program("/usr/bin/dynamic", "/dynamic");
                   }};
    ProgramResolver resolver_;
    std::optional<RootIdentity> container_;
};

TEST_F(MountsOfTheStart, AreTheImagesNames) {
    const auto nothing = [] { return true; };
    EXPECT_EQ(after(nothing, "/usr/bin/dynamic"), "/usr/bin/dynamic");
    EXPECT_EQ(after(nothing, "/volume/dynamic"), "/volume/dynamic");
    const auto jail = [] { return ::chroot("/usr") == 0; };
    EXPECT_EQ(after(jail, "/bin/dynamic"), "/usr/bin/dynamic");
    const auto in_volume = [] { return ::chroot("/volume") == 0; };
    EXPECT_EQ(after(in_volume, "/dynamic"), "/volume/dynamic");
    // One more mount elsewhere changes no name.
    EXPECT_EQ(after([] { return tmpfs_on("/opt"); }, "/usr/bin/dynamic"), "/usr/bin/dynamic");
}

TEST_F(MountsOfTheStart, AFileBoundOverAProgramLater) {
    const auto meddle = [] { return mount_on("/bin/tool", "/usr/bin/dynamic", MS_BIND); };
    const Program program = look_after(meddle, "/usr/bin/dynamic");
    ASSERT_FALSE(program.views.empty()) << program.reason;
    EXPECT_EQ(program.views[0].exe, "other-mounts:/usr/bin/dynamic");
    // For rules that refuse.
    EXPECT_NE(
        std::find(program.views[0].names.begin(), program.views[0].names.end(), "/usr/bin/dynamic"),
        program.views[0].names.end());
}

TEST_F(MountsOfTheStart, AFolderBoundOverAnotherLater) {
    EXPECT_EQ(after([] { return mount_on("/volume", "/usr/bin", MS_BIND); }, "/usr/bin/dynamic"),
              "other-mounts:/usr/bin/dynamic");
}

TEST_F(MountsOfTheStart, ANewFileSystemAndAnOverlayOverAFolder) {
    const auto fresh = [] { return tmpfs_on("/opt") && fs::copy_file("/dynamic", "/opt/dynamic"); };
    EXPECT_EQ(after(fresh, "/opt/dynamic"), "other-mounts:/opt/dynamic");
    const auto overlay = [] {
        return ::mount("over", "/usr/bin", "overlay", 0, "lowerdir=/volume:/usr/bin") == 0;
    };
    EXPECT_EQ(after(overlay, "/usr/bin/dynamic"), "other-mounts:/usr/bin/dynamic");
}

TEST_F(MountsOfTheStart, ADetachedCopyOfTheTree) {
    const auto meddle = [] {
        const int copy = static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, "/usr/bin", 1U));
        return copy >= 0 && ::dup2(copy, kBinDirectory) >= 0;  // OPEN_TREE_CLONE
    };
    EXPECT_TRUE(
        after(meddle, "/proc/self/fd/" + std::to_string(kBinDirectory) + "/dynamic").find(":") !=
        std::string::npos);
}

TEST_F(MountsOfTheStart, OneThatIsMovedElsewhere) {
    EXPECT_EQ(after([] { return mount_on("/volume", "/opt", MS_MOVE); }, "/opt/dynamic"),
              "other-mounts:/opt/dynamic");
}

TEST_F(MountsOfTheStart, OneThatIsMovedBelowItsOwnPlace) {
    const auto meddle = [] {
        return mount_on("/volume", "/opt", MS_MOVE) && tmpfs_on("/volume") &&
               ::mkdir("/volume/deep", 0755) == 0 && mount_on("/opt", "/volume/deep", MS_MOVE);
    };
    EXPECT_EQ(after(meddle, "/volume/deep/dynamic"), "other-mounts:/volume/deep/dynamic");
}

TEST_F(MountsOfTheStart, WhatOneHadHidden) {
    EXPECT_EQ(after([] { return ::umount("/volume") == 0; }, "/volume/hidden"),
              "other-mounts:/volume/hidden");
}

TEST_F(MountsOfTheStart, ARootThatIsPivotedTo) {
    const auto meddle = [] {
        return pivot("/old") && ::chdir("/") == 0 && fs::create_directories("/usr/bin") &&
               fs::copy_file("/old/dynamic", "/usr/bin/dynamic");
    };
    EXPECT_EQ(after(meddle, "/usr/bin/dynamic"), "other-mounts:/usr/bin/dynamic");
}

// The old root's own mount is one of the start, but stands elsewhere.
TEST_F(MountsOfTheStart, ThePivotedRootUnderAnImagesName) {
    EXPECT_TRUE(
        after([] { return pivot("/usr/bin"); }, "/usr/bin/dynamic").starts_with("other-mounts:"));
}

TEST_F(MountsOfTheStart, ThePivotedRootFromWithin) {
    const auto back_in = [] { return pivot("/usr/bin") && ::chroot("/usr/bin") == 0; };
    EXPECT_TRUE(after(back_in, "/dynamic").starts_with("other-mounts:"));
}

TEST_F(MountsOfTheStart, ALoaderThatIsBoundOverThePrograms) {
    const auto loaders = [](const Program& program) {
        return std::count_if(program.views.begin(), program.views.end(), [](const auto& view) {
            return view.role == ViewRole::kElfInterpreter;
        });
    };
    EXPECT_EQ(loaders(look(root_.tid(), "/usr/bin/dynamic")), 0);
    const auto meddle = [] { return mount_on("/tmp/fake-loader", kGlibcLoader, MS_BIND); };
    const Program program = look_after(meddle, "/usr/bin/dynamic");
    EXPECT_EQ(exe_of(program), "/usr/bin/dynamic");
    EXPECT_EQ(loaders(program), 1);
}

TEST_F(ProgramInRoot, WhereTheRootIsAProcfsSelfIsTheCaller) {
    const TinyRoot root(populate, [] { (void)!(::chroot("/proc") == 0 && ::chdir("/") == 0); });
    ASSERT_TRUE(root.ready());
    const Program program = resolve_of(root.tid(), "/self/exe", {"zero"});
    // This program is found, but its loader is not, in that root.
    EXPECT_EQ(program.outcome, ProgramOutcome::kRefused);
    EXPECT_EQ(program.error, ENOENT);
    EXPECT_TRUE(program.reason.starts_with("PT_INTERP /lib64/ld-linux")) << program.reason;
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
