#include "hook/exec/program.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>

#include "hook/exec/naming.h"
#include "hook/exec/script.h"
#include "hook/exec/target.h"
#include "hook/exec/wrapped.h"

namespace execseal {
namespace {

constexpr std::size_t kCachedFiles = 4096;
constexpr int kMaxNesting = 4;  // ld.so of ld.so of ld.so ...
constexpr std::size_t kKnownLoaders = 16;
constexpr std::size_t kMaxFiles = 12;  // and some more for what comes after the loader's libraries

// Where applets have their links, besides the binary's own directory.
constexpr std::array<const char*, 4> kAppletDirectories{"/bin", "/sbin", "/usr/bin", "/usr/sbin"};

const char* mark_of(MultiCall kind) {
    return kind == MultiCall::kToybox ? "toybox" : "busybox";
}

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

// A file that was found, with all that it is called.
struct FoundFile {
    WalkedPath walked;
    FileStatus status;
    std::string name;
    std::vector<std::string> names;  // as ProgramView::names
    std::string loose_link;
};

// Takes the same way again, with its links.
using Retrace = std::function<Result<WalkedPath>()>;

void add_name(std::vector<std::string>& names, const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
    }
}

bool climbs(const std::string& path) {
    return ("/" + path + "/").find("/../") != std::string::npos;
}

}  // namespace

// One request on its way through the resolver. What fails says so in the program's outcome and
// gives false.
class ProgramResolver::Pass {
  public:
    Pass(ProgramResolver& resolver, const ExecSnapshot& request, const CallerView& view,
         const std::optional<RootIdentity>& container, Program& program)
        : resolver_(resolver),
          request_(request),
          view_(view),
          namer_(view, container, resolver.mounts_.get()),
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
        const bool by_descriptor =
            request_.call.dirfd != AT_FDCWD && !request_.path.starts_with('/');
        const Retrace retrace = [this] {
            return open_exec_target(request_.call, request_.path, view_, Trace::kLinks);
        };
        if (admit(
                find(std::move(target), request_.path, by_descriptor ? "" : program_.cwd, retrace),
                request_.path) &&
            follow_interpreters() && is_within_room()) {
            program_.outcome = ProgramOutcome::kFound;
            program_.reason.clear();
        }
    }

  private:
    bool refuse(const Error& error) {
        program_.outcome =
            is_kernels_answer(error) ? ProgramOutcome::kRefused : ProgramOutcome::kUnresolved;
        program_.error = error.code;
        program_.reason = error.text();
        return false;
    }

    bool unresolved(const std::string& asked, const std::string& why) {
        program_.outcome = ProgramOutcome::kUnresolved;
        program_.reason = asked + ": " + why;
        return false;
    }

    bool is_within_room() {
        return !program_.over_room ||
               unresolved(request_.path,
                          std::to_string(request_.argv.count) + " arguments of " +
                              std::to_string(request_.argv.bytes.size()) +
                              " bytes are too many for all the programs that they are judged for");
    }

    // As a vector of strings: 32 bytes each, and where they are long an allocation of their own.
    static std::size_t memory_of(const std::vector<std::string>& argv) {
        constexpr std::size_t kInside = 15;
        constexpr std::size_t kOverhead = 24;
        std::size_t bytes = argv.size() * sizeof(std::string);
        for (const std::string& argument : argv) {
            bytes += argument.size() > kInside ? argument.size() + kOverhead : 0;
        }
        return bytes;
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
        program_.cwd_names = further_names(program_.cwd);
        if (const auto own = namer_.name_for_caller(view_.cwd.get())) {
            add_name(program_.cwd_names, *own);
        }
        return Ok{};
    }

    // What a name says without prefix and suffix, and through the root's own links (/bin), of which
    // one may lead to another (/sbin, /usr/sbin, /usr/bin).
    std::vector<std::string> further_names(const std::string& name) {
        constexpr int kLinksInARow = 2;
        std::vector<std::string> names{name};
        if (const auto bare = bare_name(name)) {
            names.push_back(*bare);
        }
        for (int round = 0; round < kLinksInARow; ++round) {
            const std::vector<std::string> known = names;
            for (const Alias& alias : resolver_.aliases(view_, namer_.root_status())) {
                for (const std::string& one : known) {
                    if (const auto rest = below(one, alias.folder)) {
                        add_name(names, join_path(alias.link, *rest));
                    }
                }
            }
        }
        names.erase(names.begin());
        return names;
    }

    // A path that the caller names, seen from `base` (a name; "" where there is none). `first` is
    // that path, walked without a look at its links; where its name shows that there were any, the
    // way is taken again.
    Result<FoundFile> find(Result<WalkedPath> first, const std::string& asked,
                           const std::string& base, const Retrace& retrace) {
        if (!first) {
            return first.error();
        }
        auto found = name_file(std::move(*first), asked);
        const std::string from = asked.starts_with('/') ? "/" : base;
        if (!found || asked.empty() || (!from.empty() && join_path(from, asked) == found->name)) {
            return found;
        }
        auto again = retrace();
        if (!again) {
            return again.error();
        }
        found = name_file(std::move(*again), asked);
        if (found) {
            if (!from.empty() && !climbs(asked)) {
                add_name(found->names, join_path(from, asked));
            }
            add_link_names(*found);
        }
        return found;
    }

    Result<FoundFile> name_file(WalkedPath walked, const std::string& asked) {
        const auto status = status_of(walked.fd.get());
        if (!status) {
            return status.error();
        }
        const ReachedFrom from = asked.starts_with('/') && walked.jump == Jump::kNo
                                     ? ReachedFrom::kRoot
                                     : ReachedFrom::kElsewhere;
        auto name = namer_.name(walked.fd.get(), *status, from);
        if (!name) {
            return name.error();
        }
        FoundFile found{std::move(walked), *status, std::move(*name), {}, ""};
        found.names = further_names(found.name);
        if (const auto own = namer_.name_for_caller(found.walked.fd.get())) {
            add_name(found.names, *own);
        }
        return found;
    }

    void add_link_names(FoundFile& found) {
        for (const LinkOnTheWay& link : found.walked.links) {
            const auto folder =
                namer_.name(link.folder.get(), link.folder_status, ReachedFrom::kElsewhere);
            const std::string name = join_path(folder ? *folder : "/", link.name + "/" + link.rest);
            if (link.loose && found.loose_link.empty()) {
                found.loose_link = name;
            }
            if (!climbs(name)) {
                add_name(found.names, name);
            }
        }
        const std::vector<std::string> asked = found.names;
        for (const std::string& name : asked) {
            for (const std::string& other : further_names(name)) {
                add_name(found.names, other);
            }
        }
        std::erase(found.names, found.name);
    }

    Result<FoundFile> find_path(const std::string& asked) {
        return find(
            walk_path(view_, view_.cwd.get(), asked, LastLink::kFollow), asked, program_.cwd, [&] {
                return walk_path(view_, view_.cwd.get(), asked, LastLink::kFollow, Trace::kLinks);
            });
    }

    // Takes the file in if the kernel would, as far as every caller is the same to it: what depends
    // on the caller's rights is left to the kernel.
    bool admit(Result<FoundFile> found, const std::string& asked) {
        if (!found) {
            return refuse(add_context(asked, found.error()));
        }
        const auto noexec = is_noexec_mount(found->walked.fd.get());
        if (!noexec) {
            return unresolved(asked, noexec.error().text());
        }
        if (S_ISLNK(found->status.mode)) {
            return refuse(Error{ELOOP, asked});
        }
        if (!S_ISREG(found->status.mode) || (found->status.mode & 0111U) == 0 || *noexec) {
            return refuse(Error{EACCES, asked});
        }
        take(std::move(*found));
        return true;
    }

    std::size_t take(FoundFile found) {
        program_.files.push_back({std::move(found.walked.fd), found.status.id, found.name});
        found_.push_back(std::move(found));
        return program_.files.size() - 1;
    }

    bool follow_interpreters() {
        std::vector<std::string> argv = request_.argv.split();
        std::string called = exec_filename(request_.call, request_.path);
        ViewRole role = ViewRole::kProgram;
        for (int depth = 0;; ++depth) {
            const std::size_t index = program_.files.size() - 1;
            // A file seen before as a plain program is not opened again: not a script, no
            // multi-call binary, no loader. Were it rewritten since without a new ctime (through a
            // mapping), it would run as something else than this file, which the verification
            // sees, or as itself.
            if (const ElfFacts* const plain = resolver_.known_plain(found_[index].status)) {
                return execute(index, argv) && add_plain(index, *plain, std::move(argv), role);
            }
            std::string head;
            auto file = open_regular(program_.files[index].fd.get());
            if (!file || !read_head(file->get(), head)) {
                return unresolved(called, file ? "it cannot be read" : file.error().text());
            }
            const auto shebang = parse_shebang(head);
            if (!shebang || shebang->interpreter.empty()) {
                return execute(index, argv) && expand(index, file->get(), std::move(argv), role, 0);
            }
            add_view(role, program_.files[index].path, argv, index);
            if (!is_within_room()) {
                return false;
            }
            program_.views.back().loose_link = found_[index].loose_link;
            if (depth == kMaxInterpreters) {
                return refuse(Error{ELOOP, "interpreters of " + called});
            }
            argv = interpreter_argv(*shebang, called, std::move(argv));
            called = shebang->interpreter;
            role = ViewRole::kInterpreter;
            if (!admit(find_path(called), "interpreter " + called)) {
                return false;
            }
        }
    }

    bool execute(std::size_t index, const std::vector<std::string>& argv) {
        program_.executed = index;
        program_.final_argv = make_block(argv);
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
                                                     std::vector<std::string> argv) {
        std::vector<std::string> result{shebang.interpreter};
        result.reserve(argv.size() + 2);
        if (shebang.argument) {
            result.push_back(*shebang.argument);
        }
        result.push_back(script);
        std::move(argv.begin() + 1, argv.end(), std::back_inserter(result));
        return result;
    }

    // Without its arguments where there is no room for them: then nothing is found.
    void add_view(ViewRole role, std::string exe, std::vector<std::string> argv, std::size_t file) {
        used_ += memory_of(argv);
        if (used_ > resolver_.room_) {
            program_.over_room = true;
            argv = {};
        }
        std::vector<std::string> names =
            exe == found_[file].name ? found_[file].names : further_names(exe);
        program_.views.push_back({role, std::move(exe), std::move(argv), std::move(names), ""});
        program_.view_files.push_back(file);
    }

    // Adds the views of a file that is no script.
    bool expand(std::size_t index, int file, std::vector<std::string> argv, ViewRole role,
                int nesting) {
        const auto elf = resolver_.elf_facts(file, found_[index].status);
        if (elf && elf->multi_call != MultiCall::kNo) {
            if (const auto whole = expand_multi_call(index, elf->multi_call, argv, role)) {
                return has_no_interpreter(*elf) || add_elf_interpreter(*elf, *whole);
            }
        }
        if (elf && elf->may_be_loader) {
            return expand_loader(index, std::move(argv), role, nesting);
        }
        return add_plain(index, elf.value_or(ElfFacts{}), std::move(argv), role);
    }

    // The kernel starts what a program names as its PT_INTERP, which need not be a loader.
    bool add_plain(std::size_t index, const ElfFacts& elf, std::vector<std::string> argv,
                   ViewRole role) {
        add_view(role, program_.files[index].path, std::move(argv), index);
        return has_no_interpreter(elf) || add_elf_interpreter(elf, program_.views.size() - 1);
    }

    static bool has_no_interpreter(const ElfFacts& elf) {
        return elf.interpreter.empty() || !elf.native;
    }

    // `like`: the view whose arguments it gets.
    bool add_elf_interpreter(const ElfFacts& elf, std::size_t like) {
        const std::string& path = elf.interpreter;
        auto first = walk_path(view_, view_.cwd.get(), path, LastLink::kFollow);
        const auto status = first ? status_of(first->fd.get()) : first.error();
        if (!status) {
            return refuse(add_context("PT_INTERP " + path, status.error()));
        }
        const KnownLoader loader{namer_.root_status().id, path, status->id};
        auto& known = resolver_.known_loaders_;
        if (std::find(known.begin(), known.end(), loader) != known.end()) {
            return true;
        }
        auto found = find_path(path);
        if (!admit(std::move(found), "PT_INTERP " + path)) {
            return false;
        }
        const std::size_t index = program_.files.size() - 1;
        if (!found_[index].loose_link.empty()) {
            return unresolved("PT_INTERP " + path, loose_text(index));
        }
        const auto file = open_regular(program_.files[index].fd.get());
        if (!file) {
            return unresolved("PT_INTERP " + path, file.error().text());
        }
        const auto facts = resolver_.elf_facts(file->get(), found_[index].status);
        // Not one that was mounted over the program's.
        const bool is_foreign = bare_name(found_[index].name) && !bare_name(found_[0].name);
        if (facts && facts->may_be_loader && facts->multi_call == MultiCall::kNo && !is_foreign) {
            if (path.starts_with('/') && found_[index].status.id == loader.file) {
                known.resize(std::min<std::size_t>(known.size(), kKnownLoaders - 1));
                known.push_back(loader);
            }
            program_.files.pop_back();
            found_.pop_back();
            return true;
        }
        add_view(ViewRole::kElfInterpreter, program_.files[index].path, program_.views[like].argv,
                 index);
        auto applet = facts && facts->multi_call != MultiCall::kNo
                          ? pick_applet(program_.views[like].argv, mark_of(facts->multi_call))
                          : std::optional<Applet>();
        if (applet) {
            add_view(ViewRole::kPossible, name_of_applet(index, applet->name),
                     std::move(applet->argv), index);
        }
        return true;
    }

    [[nodiscard]] std::string loose_text(std::size_t index) const {
        return "the link " + found_[index].loose_link +
               " can be changed by others than root before it is opened again by name";
    }

    std::string name_of_applet(std::size_t index, const std::string& applet) {
        return link_of_applet(index, applet)
            .value_or(directory_of(program_.files[index].path) + "/" + applet);
    }

    // Takes `argv` and gives the view that has it now, or leaves it where no applet runs.
    std::optional<std::size_t> expand_multi_call(std::size_t index, MultiCall kind,
                                                 std::vector<std::string>& argv, ViewRole role) {
        auto applet = pick_applet(argv, mark_of(kind));
        if (!applet) {
            return std::nullopt;
        }
        const std::string path = program_.files[index].path;
        // Without a link of that name only the binary's own name vouches for it: any file may
        // contain the mark, and may be called with any argv[0].
        const bool proved =
            link_of_applet(index, applet->name) || base_name(path).starts_with(mark_of(kind));
        const std::string exe = name_of_applet(index, applet->name);
        if (proved) {
            add_view(role, exe, std::move(applet->argv), index);
            add_view(ViewRole::kMultiCall, path, std::move(argv), index);
            return program_.views.size() - 1;
        }
        add_view(role, path, std::move(argv), index);
        add_view(ViewRole::kPossible, exe, std::move(applet->argv), index);
        return program_.views.size() - 2;
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

    bool expand_loader(std::size_t index, std::vector<std::string> argv, ViewRole role,
                       int nesting) {
        const std::string path = program_.files[index].path;
        LoaderCommand command = parse_loader_command(argv);
        if (command.use == LoaderUse::kUnknown) {
            return unresolved(path, "no loader is known to have the option " + command.unknown);
        }
        if (nesting == kMaxNesting) {
            return unresolved(path, "a loader of loaders of loaders");
        }
        if (command.program.empty()) {
            add_view(role, path, std::move(argv), index);  // it says its version, or how it is used
            return true;
        }
        if (!take_loaded(command.program)) {
            return false;
        }
        const std::size_t loaded = program_.files.size() - 1;
        const auto file = open_regular(program_.files[loaded].fd.get());
        if (!file) {
            return unresolved(command.program, file.error().text());
        }
        if (command.use == LoaderUse::kPlain &&
            is_interpreter_of(index, file->get(), found_[loaded].status)) {
            if (!expand(loaded, file->get(), std::move(command.argv), role, nesting + 1)) {
                return false;
            }
            add_view(ViewRole::kLoader, path, std::move(argv), index);
            return is_within_room();
        }
        add_view(role, path, argv, index);
        return add_libraries(index, command, argv) && is_within_room() &&
               expand(loaded, file->get(), std::move(command.argv), ViewRole::kPossible,
                      nesting + 1);
    }

    // The file that a loader opens by that name, after the exec.
    bool take_loaded(const std::string& asked) {
        if (asked.find('/') == std::string::npos) {
            return unresolved(asked, "a loader searches its libraries for a name without a slash");
        }
        auto found = find_path(asked);
        if (!found) {
            return unresolved("loaded by name", add_context(asked, found.error()).text());
        }
        if (!S_ISREG(found->status.mode)) {
            return unresolved(asked, "loaded by name, but no regular file");
        }
        const auto kind = folder_kind(found->walked.fd.get());
        if (!kind || (kind->is_fuse && found->status.mount != namer_.root_status().mount)) {
            return unresolved(asked,
                              "loaded by name from a FUSE file system, which may give "
                              "something else to the loader");
        }
        const std::size_t index = take(std::move(*found));
        return found_[index].loose_link.empty() || unresolved(asked, loose_text(index));
    }

    // What else runs with the program, by options of the loader: files, and anything in folders.
    bool add_libraries(std::size_t index, const LoaderCommand& command,
                       const std::vector<std::string>& argv) {
        for (const std::string& object : command.objects) {
            if (!take_loaded(object)) {
                return false;
            }
            const std::size_t taken = program_.files.size() - 1;
            add_view(ViewRole::kPossible, program_.files[taken].path, argv, taken);
        }
        for (const std::string& directory : command.directories) {
            auto found = find_path(directory);
            if (!found || !S_ISDIR(found->status.mode) || !found->loose_link.empty()) {
                return unresolved(directory, "a loader's library path that cannot be known");
            }
            add_view(ViewRole::kPossible, join_path(found->name, "*"), argv, index);
        }
        if (program_.files.size() > kMaxFiles) {
            return unresolved(program_.files[index].path, "too many files for one loader");
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
    std::size_t used_ = 0;          // of the resolver's room
    std::vector<FoundFile> found_;  // of program_.files, without their descriptors
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

const ElfFacts* ProgramResolver::known_plain(const FileStatus& status) const {
    const auto known = elf_cache_.find(FileKey{status.id, status.size, status.ctime_ns});
    const bool plain = known != elf_cache_.end() && known->second &&
                       known->second->multi_call == MultiCall::kNo && !known->second->may_be_loader;
    return plain ? &*known->second : nullptr;
}

const std::vector<ProgramResolver::Alias>& ProgramResolver::aliases(const CallerView& view,
                                                                    const FileStatus& root) {
    if (root.id == aliased_root_) {
        return aliases_;
    }
    aliased_root_ = root.id;
    aliases_.clear();
    for (const auto& [parent, name] : {std::pair{"/", "bin"},
                                       {"/", "sbin"},
                                       {"/", "lib"},
                                       {"/", "lib64"},
                                       {"/", "lib32"},
                                       {"/usr", "sbin"}}) {
        const auto folder = open_scoped(view.root.get(), parent, Scope::kInRoot);
        const auto link = folder ? open_component(folder->get(), name) : folder.error();
        const auto status = link ? status_of(link->get()) : link.error();
        const auto text =
            status && S_ISLNK(status->mode) ? link_text(link->get()) : make_error("no link");
        if (text && !climbs(*text)) {
            aliases_.push_back(
                {join_path(text->starts_with('/') ? "/" : parent, *text), join_path(parent, name)});
        }
    }
    return aliases_;
}

void ProgramResolver::resolve(const ExecSnapshot& request, const CallerView& view,
                              const std::optional<RootIdentity>& container,
                              Result<WalkedPath> target, Program& program) {
    program = Program{};
    Pass(*this, request, view, container, program).run(std::move(target));
}

}  // namespace execseal
