#include "hook/os/procfs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <csignal>
#include <cstring>

#include "hook/os/file_read.h"
#include "hook/os/kernel_constants.h"

namespace execseal {
namespace {

// "Groups:" of a status file names up to 65536 groups (NGROUPS_MAX) before the lines that we want.
constexpr std::size_t kStatusLimit = std::size_t{1} << 20;

using Path = std::array<char, 32>;

// "TID/name", without an allocation.
Path task_path(Tid tid, const char* name) {
    Path path{};
    const auto end = std::to_chars(path.data(), path.data() + 12, tid.value);
    *end.ptr = '/';
    std::strncpy(end.ptr + 1, name,
                 static_cast<std::size_t>(path.data() + path.size() - end.ptr - 2));
    return path;
}

// A task that ends while its file is read gives ESRCH, before that the path gives ENOENT.
bool means_gone(int error) {
    return error == ENOENT || error == ESRCH;
}

template <class Number>
std::optional<Number> number(std::string_view text, int base = 10) {
    Number value{};
    const auto end = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (end.ec != std::errc{}) {
        return std::nullopt;
    }
    return value;
}

// Takes the next field of a line whose fields are divided by `divider`s.
std::string_view take_field(std::string_view& line, char divider) {
    const std::size_t start = line.find_first_not_of(divider);
    if (start == std::string_view::npos) {
        line = {};
        return {};
    }
    line.remove_prefix(start);
    const std::size_t end = std::min(line.find(divider), line.size());
    const std::string_view field = line.substr(0, end);
    line.remove_prefix(end);
    return field;
}

// Real, effective, saved, of the file system; what is missing becomes an id that nobody has.
void read_ids(std::string_view line, uid_t& effective, uid_t& filesystem) {
    (void)take_field(line, '\t');
    effective = number<uid_t>(take_field(line, '\t')).value_or(uid_t(-1));
    (void)take_field(line, '\t');
    filesystem = number<uid_t>(take_field(line, '\t')).value_or(uid_t(-1));
}

std::vector<pid_t> read_numbers(std::string_view line) {
    std::vector<pid_t> numbers;
    while (!line.empty()) {
        if (const auto next = number<pid_t>(take_field(line, '\t'))) {
            numbers.push_back(*next);
        }
    }
    return numbers;
}

// Linux 6.9: pidfds are files of pidfs, with inodes that never come again (fs/pidfs.c).
bool pidfds_have_inodes() {
    const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    struct statfs info {};
    return self.valid() && ::fstatfs(self.get(), &info) == 0 && info.f_type == kPidfsMagic;
}

// What the supervisor's thread reads here waits for nobody of the container: none of it takes
// cred_guard_mutex, exec_update_lock or mmap_lock of the task. status: counters, credentials and
// signal sets, under siglock alone (proc_pid_status()). ns/pid: a stat of an nsfs inode. exe: the
// text of the link, made of dentries, without asking their file system (d_path()). The directories
// of numbers and their link counts (hook/os/pid_namespace.h): RCU. stat, syscall, environ, mem,
// maps and cmdline do wait: stat is read before Linux 6.9 only, the others in expendable processes
// (hook/exec/reader.h, hook/gate/taken_reader.h).
class RealProcfs final : public Procfs {
  public:
    explicit RealProcfs(UniqueFd root) : root_(std::move(root)) {}

    Result<std::optional<TaskStat>> stat(Tid tid) override {
        return has_pidfs_ ? stat_by_pidfd(tid) : stat_by_file(tid);
    }

    Result<std::optional<TaskStatus>> status(Tid tid) override {
        std::string text(4096, '\0');
        while (true) {
            const Result<std::optional<std::size_t>> length =
                read_file(tid, "status", text.data(), text.size());
            if (!length) {
                return length.error();
            }
            if (!*length) {
                return std::optional<TaskStatus>();
            }
            if (**length < text.size() || text.size() >= kStatusLimit) {
                text.resize(**length);
                break;
            }
            text.resize(text.size() * 4);
        }
        std::optional<TaskStatus> parsed = parse_task_status(text);
        if (!parsed) {
            return make_error("/proc/TID/status: not of the form that proc(5) tells");
        }
        return parsed;
    }

    Result<std::optional<NamespaceId>> pid_namespace(Tid tid) override {
        struct stat info {};
        if (::fstatat(root_.get(), task_path(tid, "ns/pid").data(), &info, 0) != 0) {
            if (means_gone(errno)) {
                return std::optional<NamespaceId>();
            }
            return Error{errno, "stat of /proc/TID/ns/pid"};
        }
        return std::optional(NamespaceId{info.st_dev, info.st_ino});
    }

    Result<std::optional<std::string>> exe(Tid tid) override {
        std::array<char, PATH_MAX> buffer;  // NOLINT(cppcoreguidelines-init-variables): see above
        const ssize_t length =
            ::readlinkat(root_.get(), task_path(tid, "exe").data(), buffer.data(), buffer.size());
        if (length < 0) {
            if (means_gone(errno)) {
                return std::optional<std::string>();
            }
            return Error{errno, "readlink of /proc/TID/exe"};
        }
        return std::optional(std::string(buffer.data(), static_cast<std::size_t>(length)));
    }

  private:
    Result<std::optional<TaskStat>> stat_by_pidfd(Tid tid) {
        const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, tid.value, kPidfdThread)));
        struct stat info {};
        if (!pidfd.valid() || ::fstat(pidfd.get(), &info) != 0) {
            if (means_gone(errno)) {
                return std::optional<TaskStat>();
            }
            return Error{errno, "pidfd_open"};
        }
        const Result<std::optional<TaskStatus>> status = this->status(tid);
        if (!status) {
            return status.error();
        }
        // Still there: what was read in between is of the same task.
        if (!*status || (::syscall(SYS_pidfd_send_signal, pidfd.get(), 0, nullptr, 0) != 0 &&
                         means_gone(errno))) {
            return std::optional<TaskStat>();
        }
        return std::optional(TaskStat{(*status)->state, (*status)->parent, info.st_ino});
    }

    // FIXME(kernel >= 6.9): remove. It does not wait on those (see Procfs).
    Result<std::optional<TaskStat>> stat_by_file(Tid tid) {
        std::array<char, 1024> buffer;  // NOLINT(cppcoreguidelines-init-variables): read fills it
        const Result<std::optional<std::size_t>> length =
            read_file(tid, "stat", buffer.data(), buffer.size());
        if (!length) {
            return length.error();
        }
        if (!*length) {
            return std::optional<TaskStat>();
        }
        std::optional<TaskStat> parsed = parse_task_stat({buffer.data(), **length});
        if (!parsed) {
            return make_error("/proc/TID/stat: not of the form that proc(5) tells");
        }
        return parsed;
    }

    Result<std::optional<std::size_t>> read_file(Tid tid, const char* name, char* buffer,
                                                 std::size_t size) {
        const UniqueFd file(
            ::openat(root_.get(), task_path(tid, name).data(), O_RDONLY | O_CLOEXEC));
        if (!file.valid()) {
            if (means_gone(errno)) {
                return std::optional<std::size_t>();
            }
            return Error{errno, std::string("open of /proc/TID/") + name};
        }
        std::size_t have = 0;
        while (have < size) {
            const ssize_t got = ::read(file.get(), buffer + have, size - have);
            if (got < 0) {
                if (errno == EINTR) {
                    continue;
                }
                if (means_gone(errno)) {
                    return std::optional<std::size_t>();
                }
                return Error{errno, std::string("read of /proc/TID/") + name};
            }
            have += static_cast<std::size_t>(got);
            // These files are made whole at the first read; a short one is the end.
            if (got == 0 || have < size) {
                break;
            }
        }
        return std::optional(have);
    }

    UniqueFd root_;
    bool has_pidfs_ = pidfds_have_inodes();
};

}  // namespace

std::optional<TaskStat> parse_task_stat(std::string_view text) {
    // The name may hold spaces, parentheses and newlines; no later field holds a parenthesis.
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view rest = text.substr(name_end + 1);
    TaskStat stat;
    for (int field = 3; field <= 22; ++field) {
        const std::string_view value = take_field(rest, ' ');
        if (value.empty()) {
            return std::nullopt;
        }
        if (field == 3) {
            stat.state = value.front();
        } else if (field == 4) {
            stat.parent = Tgid{number<pid_t>(value).value_or(0)};
        } else if (field == 22) {
            const auto start = number<std::uint64_t>(value);
            if (!start) {
                return std::nullopt;
            }
            stat.birth = *start;
        }
    }
    return stat;
}

std::optional<TaskStatus> parse_task_status(std::string_view text) {
    TaskStatus status;
    bool have_tgid = false;
    // The kernel escapes newlines in "Name:" (proc_task_name(), fs/proc/array.c), so that a line
    // is a line.
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t colon = line.find(":\t");
        if (colon == std::string_view::npos) {
            continue;
        }
        const std::string_view key = line.substr(0, colon);
        std::string_view value = line.substr(colon + 2);
        if (key == "State" && !value.empty()) {
            status.state = value.front();
        } else if (key == "Tgid") {
            const auto tgid = number<pid_t>(value);
            have_tgid = tgid.has_value();
            status.tgid = Tgid{tgid.value_or(0)};
        } else if (key == "PPid") {
            status.parent = Tgid{number<pid_t>(value).value_or(0)};
        } else if (key == "TracerPid") {
            status.tracer = Tid{number<pid_t>(value).value_or(0)};
        } else if (key == "Uid") {
            read_ids(value, status.effective_uid, status.filesystem_uid);
        } else if (key == "Gid") {
            read_ids(value, status.effective_gid, status.filesystem_gid);
        } else if (key == "SigCgt") {
            const auto caught = number<std::uint64_t>(value, 16).value_or(0);
            status.catches_sigchld = (caught >> (SIGCHLD - 1) & 1) != 0;
        } else if (key == "voluntary_ctxt_switches") {
            status.voluntary_switches = number<std::uint64_t>(value).value_or(0);
        } else if (key == "Seccomp") {
            // FIXME(kernel >= 5.9): remove.
            status.seccomp_filters = value == "2" ? 1 : 0;
        } else if (key == "Seccomp_filters") {
            status.seccomp_filters = number<int>(value).value_or(-1);
        } else if (key == "NSpid") {
            status.namespace_ids = read_numbers(value);
        } else if (key == "NStgid") {
            status.namespace_tgids = read_numbers(value);
        }
    }
    if (!have_tgid) {
        return std::nullopt;
    }
    return status;
}

Result<TaskStatus> read_task_status(Tid tid) {
    const std::string path = "/proc/" + std::to_string(tid.value) + "/status";
    const Result<std::string> text = read_file(path, kStatusLimit);
    if (!text) {
        return text.error();
    }
    std::optional<TaskStatus> status = parse_task_status(*text);
    if (!status) {
        return make_error(path + ": not of the form that proc(5) tells");
    }
    return std::move(*status);
}

Result<std::unique_ptr<Procfs>> open_procfs(const char* path) {
    UniqueFd root(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid()) {
        return Error{errno, std::string("open ") + path};
    }
    return std::unique_ptr<Procfs>(std::make_unique<RealProcfs>(std::move(root)));
}

}  // namespace execseal
