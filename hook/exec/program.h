// program: which files an exec would run, under which names, with which argv.
//
// Takes the bytes that were asked for and the caller's view of the file system, gives the views
// that the policy judges (exec_facts.h) and what the kernel must then be seen to run: the last file
// of a script's chain, and argv as the kernel builds it. Opens and reads, so it may block on a hung
// mount: runs in an expendable process. Decides nothing. A program behind a loader that cannot be
// known for sure is kUnresolved.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/exec_facts.h"
#include "hook/exec/arguments.h"
#include "hook/exec/elf.h"
#include "hook/exec/naming.h"
#include "hook/exec/path_walk.h"
#include "hook/exec/string_block.h"
#include "hook/os/path_calls.h"

namespace execseal {

// kUnresolved: the program cannot be known (a file that cannot be read, say): deny. kRefused: the
// kernel refuses this exec with `error` whatever argv is (no such file, not executable, too many
// interpreters), so that is the answer.
enum class ProgramOutcome { kUnresolved, kRefused, kFound };

// Its last close by the supervisor may be the last of a mount that its container has detached, and
// then ends that mount. A FUSE server is not asked: the kernel ends its connection
// (fuse_conn_destroy(), fs/fuse/inode.c). A file system on a block device or of a network is
// written back and may wait; only root of the node mounts those, and none of its mounts goes with
// us while the container runs.
struct ProgramFile {
    UniqueFd fd;  // O_PATH
    FileId id;
    std::string path;  // as in ProgramView
};

struct Program {
    ProgramOutcome outcome = ProgramOutcome::kUnresolved;
    int error = 0;           // for kRefused
    std::string reason;      // one line, for all but kFound
    bool over_room = false;  // kUnresolved, because its views' arguments need too much memory
    std::vector<ProgramView> views;
    std::vector<std::size_t> view_files;  // for each view the index of its file
    std::vector<ProgramFile> files;  // [0]: the file asked for; then interpreters, loaded programs
    std::size_t executed = 0;        // the one that /proc/PID/exe will be
    StringBlock final_argv;          // what /proc/PID/cmdline will be
    std::string cwd;                 // of the caller, named like a file
    std::vector<std::string> cwd_names;  // as ProgramView::names
    RootIdentity root;                   // of the caller
    ContainerMounts mounts;  // of the caller, where the container's root is not known yet
};

class ProgramResolver {
  public:
    // `mounts` of the container's start: what lies on others is "other-mounts:". Null: not known.
    explicit ProgramResolver(std::shared_ptr<const ContainerMounts> mounts = nullptr)
        : mounts_(std::move(mounts)) {}

    // So many bytes of memory may the arguments of all views take together. Without it: any number.
    void set_room(std::size_t bytes) { room_ = bytes; }

    // `container`: absent for the first exec, the caller's root is the container's then. `target`:
    // of open_exec_target().
    void resolve(const ExecSnapshot& request, const CallerView& view,
                 const std::optional<RootIdentity>& container, Result<WalkedPath> target,
                 Program& program);

  private:
    struct FileKey {
        FileId id;
        std::uint64_t size = 0;
        std::int64_t ctime_ns = 0;
        friend bool operator==(const FileKey&, const FileKey&) = default;
    };
    struct FileKeyHash {
        std::size_t operator()(const FileKey& key) const noexcept;
    };
    class Pass;
    std::optional<ElfFacts> elf_facts(int file, const FileStatus& status);
    // Of a file that was seen before as one that is neither loader nor multi-call binary.
    [[nodiscard]] const ElfFacts* known_plain(const FileStatus& status) const;

    // A directory of the root that is a link: the names below it are names of what is there.
    struct Alias {
        std::string folder;  // "/usr/bin"
        std::string link;    // "/bin"
    };
    const std::vector<Alias>& aliases(const CallerView& view, const FileStatus& root);
    // A PT_INTERP of the root with that status, found to be a loader that nobody can exchange.
    struct KnownLoader {
        FileId root;
        std::string path;
        FileId file;
        friend bool operator==(const KnownLoader&, const KnownLoader&) = default;
    };

    std::shared_ptr<const ContainerMounts> mounts_;
    std::size_t room_ = std::numeric_limits<std::size_t>::max();
    // What an ELF file is, as long as it does not change. Scripts are read each time.
    std::unordered_map<FileKey, std::optional<ElfFacts>, FileKeyHash> elf_cache_;
    std::vector<KnownLoader> known_loaders_;
    FileId aliased_root_;
    std::vector<Alias> aliases_;
};

}  // namespace execseal
