#include "hook/exec/path_walk.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "hook/exec/search_right.h"
#include "hook/os/procfs.h"
#include "hook/os/task_rights.h"

namespace execseal {
namespace {

constexpr int kMaxLinks = 40;     // MAXSYMLINKS, include/linux/namei.h
constexpr ino_t kProcfsRoot = 1;  // PROC_ROOT_INO, include/linux/proc_ns.h
constexpr std::size_t kMaxStatus = 1U << 16U;

// Field 22 of stat; the name in field 2 may hold anything, so from the last parenthesis.
std::string_view start_time_of(std::string_view stat) {
    std::size_t at = stat.rfind(')');
    for (int field = 2; field < 22 && at != std::string_view::npos; ++field) {
        at = stat.find(' ', at + 1);
    }
    if (at == std::string_view::npos) {
        return {};
    }
    return stat.substr(at + 1, stat.find(' ', at + 1) - at - 1);
}

std::optional<TaskStatus> read_status_at(int directory, const std::string& task) {
    const auto text = read_text_at(directory, task + "/status", kMaxStatus);
    return text ? parse_task_status(*text) : std::nullopt;
}

class Walker {
  public:
    Walker(const CallerView& view, LastLink last, Trace trace)
        : view_(view), last_(last), trace_(trace) {}

    Result<WalkedPath> walk(int base, const std::string& path) {
        auto found = find(base, path);
        return found ? std::move(found) : as_the_caller_sees(found.error());
    }

  private:
    Result<WalkedPath> find(int base, const std::string& path) {
        if (auto start = go_to(path.starts_with('/') ? view_.root.get() : base); !start) {
            return start.error();
        }
        rest_ = path;
        while (true) {
            const std::size_t begin = rest_.find_first_not_of('/');
            if (begin == std::string::npos) {
                break;
            }
            const std::size_t end = std::min(rest_.find('/', begin), rest_.size());
            const std::string name = rest_.substr(begin, end - begin);
            rest_.erase(0, end);
            if (auto step = enter(name); !step) {
                return step.error();
            }
        }
        return WalkedPath{std::move(here_), jump_, std::move(met_)};
    }

    Result<> go_to(int fd) {
        auto same = open_component(fd, ".");
        if (!same) {
            // Not a directory: only good as the end of a path.
            return same.error();
        }
        return arrive(std::move(*same));
    }

    Result<> arrive(UniqueFd there) {
        const auto status = status_of(there.get());
        if (!status) {
            return status.error();
        }
        here_ = std::move(there);
        status_ = *status;
        return Ok{};
    }

    Result<> enter(const std::string& name) {
        if (!S_ISDIR(status_.mode)) {
            return Error{ENOTDIR, name};
        }
        if (auto noted = note_searched(); !noted) {
            return noted;
        }
        in_own_process_ = in_own_process_ && name != "..";
        if (name == "." || (name == ".." && is_root())) {
            return Ok{};
        }
        if (name == "..") {
            return climb();
        }
        if (auto looked = look_at_folder(); !looked) {
            return looked;
        }
        auto next = open_component(here_.get(), name.c_str());
        if (!next) {
            return next.error();
        }
        auto found = status_of(next->get());
        if (!found) {
            return found.error();
        }
        if (S_ISLNK(found->mode)) {
            return follow(name, next->get());
        }
        here_ = std::move(*next);
        status_ = *found;
        // "file/" and "file/.": enter() of the next name says so, but for a bare slash nobody
        // would.
        if (!S_ISDIR(found->mode) && !rest_.empty()) {
            return Error{ENOTDIR, name};
        }
        return Ok{};
    }

    // What decides whether the caller may search the folder in here_.
    Result<> note_searched() {
        // Procfs goes by who asks: a process may always search its own fd folder
        // (proc_fd_permission(), fs/proc/fd.c).
        const auto procfs = is_procfs(here_.get());
        if (!procfs || *procfs) {
            return procfs ? Result<>(Ok{}) : procfs.error();
        }
        const auto list = access_list_of(here_.get());
        if (list && is_open_to_all({status_, *list, true})) {
            return Ok{};
        }
        const auto by_mode = decides_by_mode(here_.get());
        if (!by_mode) {
            return by_mode.error();
        }
        doubtful_.push_back({status_, list ? *list : "", list && *by_mode});
        return Ok{};
    }

    Result<> climb() {
        auto parent = open_component(here_.get(), "..");
        if (!parent) {
            return parent.error();
        }
        if (auto arrived = arrive(std::move(*parent)); !arrived) {
            return arrived;
        }
        if (auto looked = look_at_folder(); !looked) {
            return looked;
        }
        return trace_ == Trace::kLinks && loose_ ? note_link("..") : Ok{};
    }

    Result<> follow(const std::string& name, int link) {
        const bool is_last = rest_.find_first_not_of('/') == std::string::npos;
        if (is_last && rest_.empty() && last_ == LastLink::kRefuse) {
            return Error{ELOOP, name};
        }
        if (++links_ > kMaxLinks) {
            return Error{ELOOP, name};
        }
        const auto procfs = is_procfs(here_.get());
        if (!procfs) {
            return procfs.error();
        }
        if (trace_ == Trace::kLinks) {
            if (auto noted = note_link(name); !noted) {
                return noted;
            }
        }
        if (*procfs) {
            return follow_in_procfs(name, link);
        }
        const auto text = link_text(link);
        if (!text) {
            return text.error();
        }
        in_own_process_ = false;
        return follow_text(*text);
    }

    Result<> note_link(const std::string& name) {
        auto folder = open_component(here_.get(), ".");
        const auto procfs = is_procfs(here_.get());
        if (!folder || !procfs) {
            return !folder ? folder.error() : procfs.error();
        }
        met_.push_back({std::move(*folder), status_, name, rest_, loose_ || *procfs});
        return Ok{};
    }

    // Of the link that was noted last.
    void note_own() {
        if (!met_.empty()) {
            met_.back().loose = loose_;
        }
    }

    // Whether others than root may put something else in the place of what is in here_.
    Result<bool> others_may_write() {
        const bool roots = status_.uid == 0 || status_.uid == view_.container_root;
        const auto kind = folder_kind(here_.get());
        if (!kind) {
            return kind.error();
        }
        const bool foreign = kind->is_fuse && status_.mount != root_mount();
        const bool writable =
            !kind->is_read_only && (!roots || (status_.mode & (S_IWGRP | S_IWOTH)) != 0);
        return !kind->is_procfs && (writable || foreign);
    }

    Result<> look_at_folder() {
        if (trace_ == Trace::kNo || loose_) {
            return Ok{};
        }
        const auto loose = others_may_write();
        if (!loose) {
            return loose.error();
        }
        loose_ = *loose;
        return Ok{};
    }

    Result<> follow_text(const std::string& text) {
        if (text.empty()) {
            return Error{ENOENT, "empty link"};
        }
        if (text.front() == '/') {
            if (auto moved = go_to(view_.root.get()); !moved) {
                return moved;
            }
        }
        rest_.insert(0, text);
        return Ok{};
    }

    Result<> follow_in_procfs(const std::string& name, int link) {
        if (status_.id.inode == kProcfsRoot && (name == "self" || name == "thread-self")) {
            const auto caller = caller_here();
            if (!caller) {
                return Error{ENOENT, "the caller is not in that procfs"};
            }
            const std::string process = std::to_string(caller->process);
            in_own_process_ = true;
            note_own();
            return follow_text(
                name == "self" ? process : process + "/task/" + std::to_string(caller->thread));
        }
        const auto magic = is_magic_link(here_.get(), name.c_str());
        if (!magic) {
            return magic.error();
        }
        if (*magic && std::exchange(in_own_process_, false) && is_lasting(name)) {
            note_own();
        }
        if (!*magic) {
            const auto text = link_text(link);
            return text ? follow_text(*text) : text.error();
        }
        auto target = open_link_target(here_.get(), name.c_str());
        if (!target) {
            return target.error();
        }
        if (auto arrived = arrive(std::move(*target)); !arrived) {
            return arrived;
        }
        jump_ = Jump::kYes;
        if (!rest_.empty() && !S_ISDIR(status_.mode)) {
            return Error{ENOTDIR, name};
        }
        return Ok{};
    }

    // The exec itself changes what "exe" means; descriptors, working directory and root stay.
    static bool is_lasting(const std::string& name) {
        const bool number =
            !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
        return number || name == "cwd" || name == "root";
    }

    struct Numbers {
        pid_t process = 0;
        pid_t thread = 0;
    };

    // What the caller is called in the procfs that we are in, which shows the tasks of one PID
    // namespace. Which of the caller's numbers counts there is found by looking: the task there
    // must have the same numbers from there on down and the same start time.
    std::optional<Numbers> caller_here() {
        const std::string own = "/proc/" + std::to_string(view_.ids.tid.value);
        const auto stat = read_text_at(
            AT_FDCWD, "/proc/" + std::to_string(view_.ids.tgid.value) + "/stat", kMaxStatus);
        const auto status = read_status_at(AT_FDCWD, own);
        if (!stat || !status || status->namespace_ids.size() != status->namespace_tgids.size()) {
            return std::nullopt;
        }
        const std::vector<pid_t>& processes = status->namespace_tgids;
        for (std::size_t i = processes.size(); i-- > 0;) {
            const std::string there = std::to_string(processes[i]);
            const auto stat_there = read_text_at(here_.get(), there + "/stat", kMaxStatus);
            const auto status_there = read_status_at(here_.get(), there);
            if (stat_there && status_there && start_time_of(*stat_there) == start_time_of(*stat) &&
                status_there->namespace_tgids ==
                    std::vector(processes.begin() + static_cast<std::ptrdiff_t>(i),
                                processes.end())) {
                return Numbers{processes[i], status->namespace_ids[i]};
            }
        }
        return std::nullopt;
    }

    std::uint64_t root_mount() {
        (void)is_root();
        return root_ ? root_->mount : 0;
    }

    bool is_root() {
        if (!root_) {
            if (auto root = status_of(view_.root.get()); root) {
                root_ = *root;
            }
        }
        return root_ && root_->id == status_.id && root_->mount == status_.mount;
    }

    // We are root and see into directories that the caller may not search. What is found there is
    // judged, and the kernel's own look decides; but to fail with anything else than the kernel's
    // EACCES would tell the caller what is in there.
    Error as_the_caller_sees(const Error& error) {
        if (doubtful_.empty()) {
            return error.code == EACCES ? no_answer(error) : error;
        }
        const auto rights = read_task_rights(view_.ids.tid);
        if (!rights) {
            return rights.error();
        }
        for (const Doubtful& folder : doubtful_) {
            switch (search_right({folder.status, folder.access_list, folder.by_mode}, view_.ids,
                                 *rights)) {
                case SearchRight::kYes:
                    break;
                case SearchRight::kNo:
                    return Error{EACCES, error.context};
                case SearchRight::kUnknown:
                    return no_answer(error);
            }
        }
        // That was said to us, who may search everything: an id that the mount does not map, a file
        // system that asks somebody else. The caller may be told another thing.
        return error.code == EACCES ? no_answer(error) : error;
    }

    // None that would be the kernel's.
    static Error no_answer(const Error& error) {
        return make_error(error.context + ": what the caller may search on the way is not known");
    }

    struct Doubtful {
        FileStatus status;
        std::string access_list;
        bool by_mode = true;
    };

    const CallerView& view_;
    LastLink last_;
    Trace trace_;
    std::vector<LinkOnTheWay> met_;
    bool loose_ = false;           // what was walked so far can be made to lead elsewhere
    bool in_own_process_ = false;  // below /proc/self, and no other link was followed since
    UniqueFd here_;
    FileStatus status_;  // of here_
    std::string rest_;
    int links_ = 0;
    Jump jump_ = Jump::kNo;
    std::optional<FileStatus> root_;
    std::vector<Doubtful> doubtful_;  // searched on the way, and not open to everybody
};

}  // namespace

Result<CallerView> CallerView::open(Tid tid) {
    const auto ids = read_task_ids(tid);
    if (!ids) {
        return ids.error();
    }
    const std::string proc = "/proc/" + std::to_string(tid.value);
    auto root = open_own_path(proc + "/root");
    if (!root) {
        return root.error();
    }
    auto cwd = open_own_path(proc + "/cwd");
    if (!cwd) {
        return cwd.error();
    }
    return CallerView{*ids, std::move(*root), std::move(*cwd), 0};
}

Result<WalkedPath> walk_path(const CallerView& view, int base, const std::string& path,
                             LastLink last, Trace trace) {
    if (path.empty()) {
        return Error{ENOENT, "empty path"};
    }
    if (last == LastLink::kFollow && trace == Trace::kNo) {
        const bool absolute = path.front() == '/';
        const int start = absolute ? view.root.get() : base;
        const Scope scope = absolute ? Scope::kInRoot : Scope::kBeneath;
        auto found = open_scoped(start, path, scope, Mounts::kOne);
        if (!found && found.error().code == EXDEV) {
            found = open_scoped(start, path, scope);
        }
        if (found) {
            return WalkedPath{std::move(*found), Jump::kNo, {}};
        }
        // Any other failure is looked at again by hand: a link to /proc/self deep in the path fails
        // with ENOENT here, because the container's procfs does not show us, and the caller may not
        // be allowed to search a directory on the way.
    }
    return Walker(view, last, trace).walk(base, path);
}

}  // namespace execseal
