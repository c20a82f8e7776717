#include "hook/supervisor/path_walk.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>

namespace execseal {
namespace {

constexpr int kMaxLinks = 40;     // MAXSYMLINKS, include/linux/namei.h
constexpr ino_t kProcfsRoot = 1;  // PROC_ROOT_INO, include/linux/proc_ns.h
constexpr std::size_t kMaxStatus = 1U << 16U;

// The numbers after "Name:" in a status file.
template <class Number>
std::vector<Number> numbers_of(std::string_view status, std::string_view field) {
    std::vector<Number> numbers;
    std::size_t at = status.starts_with(field) ? 0 : status.find("\n" + std::string(field));
    if (at == std::string_view::npos) {
        return numbers;
    }
    at = status.find(':', at) + 1;
    std::string_view line = status.substr(at, status.find('\n', at) - at);
    while (true) {
        const std::size_t digit = line.find_first_of("0123456789");
        if (digit == std::string_view::npos) {
            return numbers;
        }
        line.remove_prefix(digit);
        Number number{};
        const auto parsed = std::from_chars(line.data(), line.data() + line.size(), number);
        if (parsed.ec != std::errc{}) {
            return {};
        }
        numbers.push_back(number);
        line.remove_prefix(static_cast<std::size_t>(parsed.ptr - line.data()));
    }
}

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

class Walker {
  public:
    Walker(const CallerView& view, LastLink last) : view_(view), last_(last) {}

    Result<WalkedPath> walk(int base, const std::string& path) {
        auto start = go_to(path.starts_with('/') ? view_.root.get() : base);
        if (!start) {
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
        return WalkedPath{std::move(here_), jump_};
    }

  private:
    Result<> go_to(int fd) {
        auto same = open_component(fd, ".");
        if (!same) {
            // Not a directory: only good as the end of a path.
            return same.error();
        }
        here_ = std::move(*same);
        return Ok{};
    }

    Result<> enter(const std::string& name) {
        auto status = status_of(here_.get());
        if (!status) {
            return status.error();
        }
        if (!S_ISDIR(status->mode)) {
            return Error{ENOTDIR, name};
        }
        if (!may_search(*status)) {
            return Error{EACCES, name};
        }
        if (name == ".") {
            return Ok{};
        }
        if (name == ".." && is_root(*status)) {
            return Ok{};
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
            return follow(name, next->get(), *status);
        }
        here_ = std::move(*next);
        // "file/" and "file/.": enter() of the next name says so, but for a bare slash nobody
        // would.
        if (!S_ISDIR(found->mode) && !rest_.empty()) {
            return Error{ENOTDIR, name};
        }
        return Ok{};
    }

    Result<> follow(const std::string& name, int link, const FileStatus& directory) {
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
        if (*procfs) {
            return follow_in_procfs(name, link, directory);
        }
        const auto text = link_text(link);
        if (!text) {
            return text.error();
        }
        return follow_text(*text);
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

    Result<> follow_in_procfs(const std::string& name, int link, const FileStatus& directory) {
        if (directory.id.inode == kProcfsRoot && (name == "self" || name == "thread-self")) {
            const auto level = caller_level();
            if (!level) {
                return Error{ENOENT, "the caller is not in that procfs"};
            }
            const std::string process = std::to_string(view_.numbers.tgids[*level]);
            return follow_text(name == "self" ? process
                                              : process + "/task/" +
                                                    std::to_string(view_.numbers.tids[*level]));
        }
        const auto magic = is_magic_link(here_.get(), name.c_str());
        if (!magic) {
            return magic.error();
        }
        if (!*magic) {
            const auto text = link_text(link);
            return text ? follow_text(*text) : text.error();
        }
        auto target = open_link_target(here_.get(), name.c_str());
        if (!target) {
            return target.error();
        }
        here_ = std::move(*target);
        jump_ = Jump::kYes;
        if (!rest_.empty()) {
            const auto status = status_of(here_.get());
            if (!status || !S_ISDIR(status->mode)) {
                return Error{ENOTDIR, name};
            }
        }
        return Ok{};
    }

    // A procfs shows the tasks of one PID namespace. Which of the caller's numbers counts in this
    // one is found by looking: the task there must have the same numbers from there on down and the
    // same start time.
    std::optional<std::size_t> caller_level() {
        const CallerNumbers& numbers = view_.numbers;
        const auto own = read_text_at(
            AT_FDCWD, "/proc/" + std::to_string(numbers.tgid.value) + "/stat", kMaxStatus);
        if (!own) {
            return std::nullopt;
        }
        for (std::size_t i = numbers.tgids.size(); i-- > 0;) {
            const std::string there = std::to_string(numbers.tgids[i]);
            const auto stat = read_text_at(here_.get(), there + "/stat", kMaxStatus);
            const auto status = read_text_at(here_.get(), there + "/status", kMaxStatus);
            if (stat && status && start_time_of(*stat) == start_time_of(*own) &&
                numbers_of<pid_t>(*status, "NStgid:") ==
                    std::vector(numbers.tgids.begin() + static_cast<std::ptrdiff_t>(i),
                                numbers.tgids.end())) {
                return i;
            }
        }
        return std::nullopt;
    }

    bool is_root(const FileStatus& status) {
        if (!root_) {
            if (auto root = status_of(view_.root.get()); root) {
                root_ = *root;
            }
        }
        return root_ && root_->id == status.id && root_->mount == status.mount;
    }

    // We are root and see into directories that the caller may not search; without this a missing
    // file there would be ENOENT where the kernel says EACCES. Supplementary groups and access
    // lists are not looked at: a doubtful case passes, and the kernel decides.
    [[nodiscard]] bool may_search(const FileStatus& status) const {
        const uid_t uid = view_.numbers.fsuid;
        if (uid == 0 || (status.mode & 0111U) == 0111U) {
            return true;
        }
        if (status.uid == uid) {
            return (status.mode & S_IXUSR) != 0;
        }
        if (status.gid == view_.numbers.fsgid) {
            return (status.mode & S_IXGRP) != 0;
        }
        return (status.mode & (S_IXGRP | S_IXOTH)) != 0;
    }

    const CallerView& view_;
    LastLink last_;
    UniqueFd here_;
    std::string rest_;
    int links_ = 0;
    Jump jump_ = Jump::kNo;
    std::optional<FileStatus> root_;
};

}  // namespace

std::optional<CallerNumbers> parse_status(const std::string& status, Tid tid) {
    const auto tgid = numbers_of<pid_t>(status, "Tgid:");
    const auto parent = numbers_of<pid_t>(status, "PPid:");
    const auto uids = numbers_of<uid_t>(status, "Uid:");
    const auto gids = numbers_of<gid_t>(status, "Gid:");
    CallerNumbers numbers;
    numbers.tids = numbers_of<pid_t>(status, "NSpid:");
    numbers.tgids = numbers_of<pid_t>(status, "NStgid:");
    if (tgid.size() != 1 || parent.size() != 1 || uids.size() != 4 || gids.size() != 4 ||
        numbers.tids.empty() || numbers.tids.size() != numbers.tgids.size()) {
        return std::nullopt;
    }
    numbers.tid = tid;
    numbers.tgid = Tgid{tgid[0]};
    numbers.parent = Tgid{parent[0]};
    numbers.euid = uids[1];
    numbers.fsuid = uids[3];
    numbers.egid = gids[1];
    numbers.fsgid = gids[3];
    return numbers;
}

Result<CallerView> CallerView::open(Tid tid) {
    const std::string proc = "/proc/" + std::to_string(tid.value);
    const auto status = read_text_at(AT_FDCWD, proc + "/status", kMaxStatus);
    if (!status) {
        return status.error();
    }
    const auto numbers = parse_status(*status, tid);
    if (!numbers) {
        return make_error(proc + "/status: Tgid, Uid, Gid, NSpid or NStgid is missing");
    }
    auto root = open_own_path(proc + "/root");
    if (!root) {
        return root.error();
    }
    auto cwd = open_own_path(proc + "/cwd");
    if (!cwd) {
        return cwd.error();
    }
    return CallerView{*numbers, std::move(*root), std::move(*cwd)};
}

Result<WalkedPath> walk_path(const CallerView& view, int base, const std::string& path,
                             LastLink last) {
    if (path.empty()) {
        return Error{ENOENT, "empty path"};
    }
    if (last == LastLink::kFollow) {
        const bool absolute = path.front() == '/';
        auto found = open_scoped(absolute ? view.root.get() : base, path,
                                 absolute ? Scope::kInRoot : Scope::kBeneath);
        if (found) {
            return WalkedPath{std::move(*found), Jump::kNo};
        }
        // Any failure is looked at again by hand: a link to /proc/self deep in the path fails with
        // ENOENT here, because the container's procfs does not show us.
    }
    return Walker(view, last).walk(base, path);
}

}  // namespace execseal
