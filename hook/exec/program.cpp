#include "hook/exec/program.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "hook/exec/naming.h"
#include "hook/exec/script.h"
#include "hook/exec/target.h"
#include "hook/exec/wrapped.h"

namespace execseal {
namespace {

constexpr std::size_t kCachedFiles = 4096;
constexpr int kMaxNesting = 4;  // ld.so of ld.so of busybox ...; deeper stays what it is

// Where applets have their links, besides the binary's own directory.
constexpr std::array<const char*, 4> kAppletDirectories{"/bin", "/sbin", "/usr/bin", "/usr/sbin"};

const char* mark_of(MultiCall kind) {
    return kind == MultiCall::kToybox ? "toybox" : "busybox";
}

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

// kernel: alloc_bprm(), fs/exec.c: how a file that was named through a descriptor is called in
// argv.
std::string name_for_script(const ExecCall& call, const std::string& path) {
    if (call.dirfd == AT_FDCWD || path.starts_with('/')) {
        return path;
    }
    const std::string name = "/dev/fd/" + std::to_string(call.dirfd);
    return path.empty() ? name : name + "/" + path;
}

}  // namespace

// One request on its way through the resolver.
class ProgramResolver::Pass {
  public:
    Pass(ProgramResolver& resolver, const ExecSnapshot& request, const CallerView& view,
         const std::optional<RootIdentity>& container, Program& program)
        : resolver_(resolver),
          request_(request),
          view_(view),
          namer_(view, container),
          program_(program) {}

    void run(Result<WalkedPath> target) {
        if (!target) {
            refuse(target.error());
            return;
        }
        if (namer_.failure()) {
            program_.reason = namer_.failure()->text();
            return;
        }
        program_.root = namer_.caller_root();
        if (const auto done = name_cwd(); !done) {
            program_.reason = done.error().text();
            return;
        }
        if (admit(std::move(*target), request_.path)) {
            follow_interpreters();
        }
    }

  private:
    void refuse(const Error& error) {
        program_.outcome =
            is_kernels_answer(error) ? ProgramOutcome::kRefused : ProgramOutcome::kUnresolved;
        program_.error = error.code;
        program_.reason = error.text();
    }

    Result<> name_cwd() {
        const auto status = status_of(view_.cwd.get());
        if (!status) {
            return status.error();
        }
        auto name = namer_.name(view_.cwd.get(), *status, ReachedFrom::kElsewhere);
        if (!name) {
            return name.error();
        }
        program_.cwd = std::move(*name);
        return Ok{};
    }

    // Takes the file in if the kernel would, as far as every caller is the same to it: what depends
    // on the caller's rights is left to the kernel.
    bool admit(WalkedPath walked, const std::string& asked) {
        const auto status = status_of(walked.fd.get());
        const auto noexec = is_noexec_mount(walked.fd.get());
        if (!status || !noexec) {
            unresolved(asked, status ? noexec.error() : status.error());
            return false;
        }
        if (S_ISLNK(status->mode)) {
            refuse(Error{ELOOP, asked});
            return false;
        }
        if (!S_ISREG(status->mode) || (status->mode & 0111U) == 0 || *noexec) {
            refuse(Error{EACCES, asked});
            return false;
        }
        return take(std::move(walked), *status, asked);
    }

    bool take(WalkedPath walked, const FileStatus& status, const std::string& asked) {
        const ReachedFrom from = asked.starts_with('/') && walked.jump == Jump::kNo
                                     ? ReachedFrom::kRoot
                                     : ReachedFrom::kElsewhere;
        auto name = namer_.name(walked.fd.get(), status, from);
        if (!name) {
            unresolved(asked, name.error());
            return false;
        }
        program_.files.push_back({std::move(walked.fd), status.id, std::move(*name)});
        statuses_.push_back(status);
        return true;
    }

    void unresolved(const std::string& asked, const Error& error) {
        program_.outcome = ProgramOutcome::kUnresolved;
        program_.reason = add_context(asked, error).text();
    }

    void follow_interpreters() {
        std::vector<std::string> argv = request_.argv.split();
        std::string called = name_for_script(request_.call, request_.path);
        ViewRole role = ViewRole::kProgram;
        for (int depth = 0;; ++depth) {
            const std::size_t index = program_.files.size() - 1;
            if (finish_known(index, argv, role)) {
                return;
            }
            std::string head;
            auto file = open_regular(program_.files[index].fd.get());
            if (!file || !read_head(file->get(), head)) {
                unresolved(called, file ? Error{EIO, "read"} : file.error());
                return;
            }
            const auto shebang = parse_shebang(head);
            if (!shebang || shebang->interpreter.empty()) {
                program_.executed = index;
                program_.final_argv = make_block(argv);
                expand(index, file->get(), argv, role, 0);
                program_.outcome = ProgramOutcome::kFound;
                program_.reason.clear();
                return;
            }
            add_view(role, program_.files[index].path, argv, index);
            if (depth == kMaxInterpreters) {
                refuse(Error{ELOOP, "interpreters of " + called});
                return;
            }
            argv = interpreter_argv(*shebang, called, argv);
            called = shebang->interpreter;
            role = ViewRole::kInterpreter;
            auto next = walk_path(view_, view_.cwd.get(), called, LastLink::kFollow);
            if (!next) {
                refuse(add_context("interpreter", next.error()));
                return;
            }
            if (!admit(std::move(*next), called)) {
                return;
            }
        }
    }

    // A file seen before as a plain program is not opened again: not a script, no multi-call
    // binary, no loader. Were it rewritten since without a new ctime (through a mapping), it would
    // run as something else than this file, which the verification sees, or as itself.
    bool finish_known(std::size_t index, const std::vector<std::string>& argv, ViewRole role) {
        if (!resolver_.is_known_plain(statuses_[index])) {
            return false;
        }
        program_.executed = index;
        program_.final_argv = make_block(argv);
        add_view(role, program_.files[index].path, argv, index);
        program_.outcome = ProgramOutcome::kFound;
        program_.reason.clear();
        return true;
    }

    static bool read_head(int file, std::string& head) {
        head.resize(kBinprmBuffer);
        const auto got = read_file_at(file, std::as_writable_bytes(std::span(head)), 0);
        head.resize(got ? *got : 0);
        return got.has_value();
    }

    // kernel: load_script(): argv[0] goes, then script, argument and interpreter come before the
    // rest.
    static std::vector<std::string> interpreter_argv(const Shebang& shebang,
                                                     const std::string& script,
                                                     const std::vector<std::string>& argv) {
        std::vector<std::string> result{shebang.interpreter};
        if (shebang.argument) {
            result.push_back(*shebang.argument);
        }
        result.push_back(script);
        result.insert(result.end(), argv.begin() + 1, argv.end());
        return result;
    }

    void add_view(ViewRole role, std::string exe, std::vector<std::string> argv, std::size_t file) {
        program_.views.push_back({role, std::move(exe), std::move(argv)});
        program_.view_files.push_back(file);
    }

    // Adds the views of a file that is no script.
    void expand(std::size_t index, int file, const std::vector<std::string>& argv, ViewRole role,
                int nesting) {
        const auto elf = resolver_.elf_facts(file, statuses_[index]);
        if (elf && nesting < kMaxNesting) {
            if (elf->multi_call != MultiCall::kNo &&
                expand_multi_call(index, elf->multi_call, argv, role)) {
                return;
            }
            if (elf->may_be_loader && expand_loader(index, argv, role, nesting)) {
                return;
            }
        }
        add_view(role, program_.files[index].path, argv, index);
    }

    bool expand_multi_call(std::size_t index, MultiCall kind, const std::vector<std::string>& argv,
                           ViewRole role) {
        const auto applet = pick_applet(argv, mark_of(kind));
        if (!applet) {
            return false;
        }
        const std::string path = program_.files[index].path;
        auto exe = link_of_applet(index, applet->name);
        // Without a link of that name only the binary's own name vouches for it: any file may
        // contain the mark, and may be called with any argv[0].
        const bool proved = exe || base_name(path).starts_with(mark_of(kind));
        if (!exe) {
            exe = directory_of(path) + "/" + applet->name;
        }
        if (proved) {
            add_view(role, *exe, applet->argv, index);
            add_view(ViewRole::kMultiCall, path, argv, index);
        } else {
            add_view(role, path, argv, index);
            add_view(ViewRole::kPossible, *exe, applet->argv, index);
        }
        return true;
    }

    // The same name for an applet however it was started, where links are as usual.
    std::optional<std::string> link_of_applet(std::size_t index, const std::string& applet) {
        for (const char* directory : kAppletDirectories) {
            const auto parent = open_scoped(view_.root.get(), directory, Scope::kInRoot);
            if (parent && is_file_at(parent->get(), applet, program_.files[index].id)) {
                return name_below(parent->get(), applet);
            }
        }
        const auto parent = open_scoped(
            view_.root.get(), directory_of(program_.files[index].path) + "/", Scope::kInRoot);
        if (parent && is_file_at(parent->get(), applet, program_.files[index].id)) {
            return name_below(parent->get(), applet);
        }
        return std::nullopt;
    }

    bool is_file_at(int directory, const std::string& name, const FileId& id) {
        const auto found = walk_path(view_, directory, name, LastLink::kFollow);
        const auto status = found ? status_of(found->fd.get()) : found.error();
        return status && status->id == id;
    }

    std::optional<std::string> name_below(int directory, const std::string& name) {
        const auto status = status_of(directory);
        if (!status) {
            return std::nullopt;
        }
        const auto parent = namer_.name(directory, *status, ReachedFrom::kRoot);
        if (!parent) {
            return std::nullopt;
        }
        return *parent == "/" ? "/" + name : *parent + "/" + name;
    }

    bool expand_loader(std::size_t index, const std::vector<std::string>& argv, ViewRole role,
                       int nesting) {
        const LoaderCommand command = parse_loader_command(argv);
        if (command.program.empty()) {
            return false;
        }
        auto found = walk_path(view_, view_.cwd.get(), command.program, LastLink::kFollow);
        const auto status = found ? status_of(found->fd.get()) : found.error();
        if (!status || !S_ISREG(status->mode) ||
            !take(std::move(*found), *status, command.program)) {
            return false;
        }
        const std::size_t loaded = program_.files.size() - 1;
        const auto file = open_regular(program_.files[loaded].fd.get());
        if (!file) {
            return false;
        }
        // Without a slash glibc looks in its library path.
        const bool proved = command.use == LoaderUse::kPlain &&
                            command.program.find('/') != std::string::npos &&
                            is_interpreter_of(index, file->get(), *status);
        const std::string path = program_.files[index].path;
        if (proved) {
            expand(loaded, file->get(), command.argv, role, nesting + 1);
            add_view(ViewRole::kLoader, path, argv, index);
        } else {
            add_view(role, path, argv, index);
            expand(loaded, file->get(), command.argv, ViewRole::kPossible, nesting + 1);
        }
        return true;
    }

    bool is_interpreter_of(std::size_t index, int file, const FileStatus& status) {
        const auto elf = resolver_.elf_facts(file, status);
        if (!elf || elf->interpreter.empty()) {
            return false;
        }
        return is_file_at(view_.cwd.get(), elf->interpreter, program_.files[index].id);
    }

    ProgramResolver& resolver_;
    const ExecSnapshot& request_;
    const CallerView& view_;
    FileNamer namer_;
    Program& program_;
    std::vector<FileStatus> statuses_;  // of program_.files
};

std::size_t ProgramResolver::FileKeyHash::operator()(const FileKey& key) const noexcept {
    std::size_t hash = std::hash<ino_t>{}(key.id.inode);
    hash = hash * 31 + std::hash<dev_t>{}(key.id.device);
    return hash * 31 + std::hash<std::int64_t>{}(key.ctime_ns);
}

std::optional<ElfFacts> ProgramResolver::elf_facts(int file, const FileStatus& status) {
    const FileKey key{status.id, status.size, status.ctime_ns};
    const auto known = elf_cache_.find(key);
    if (known != elf_cache_.end()) {
        return known->second;
    }
    auto facts = read_elf(file, status.size);
    if (elf_cache_.size() >= kCachedFiles) {
        elf_cache_.clear();
    }
    elf_cache_.emplace(key, facts);
    return facts;
}

bool ProgramResolver::is_known_plain(const FileStatus& status) const {
    const auto known = elf_cache_.find(FileKey{status.id, status.size, status.ctime_ns});
    return known != elf_cache_.end() && known->second &&
           known->second->multi_call == MultiCall::kNo && !known->second->may_be_loader;
}

void ProgramResolver::resolve(const ExecSnapshot& request, const CallerView& view,
                              const std::optional<RootIdentity>& container,
                              Result<WalkedPath> target, Program& program) {
    program = Program{};
    Pass(*this, request, view, container, program).run(std::move(target));
}

}  // namespace execseal
