#include "hook/exec/naming.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>

namespace execseal {
namespace {

constexpr std::string_view kDeleted = " (deleted)";
constexpr std::string_view kMemfd = "/memfd:";

std::string without_deleted(std::string name) {
    if (name.ends_with(kDeleted)) {
        name.resize(name.size() - kDeleted.size());
    }
    return name;
}

constexpr std::string_view kUnreachable = "unreachable:";
constexpr std::string_view kOtherMounts = "other-mounts:";
constexpr std::string_view kMemfdName = "memfd:";

}  // namespace

std::optional<std::string> bare_name(std::string_view name) {
    const std::size_t size = name.size();
    for (const std::string_view prefix : {kUnreachable, kOtherMounts}) {
        if (name.starts_with(prefix)) {
            name.remove_prefix(prefix.size());
        }
    }
    if (name.starts_with(kMemfdName)) {
        name.remove_prefix(kMemfdName.size());
        return "/" + std::string(name);
    }
    if (name.ends_with(kDeleted)) {
        name.remove_suffix(kDeleted.size());
    }
    return name.size() == size ? std::nullopt : std::optional(std::string(name));
}

std::string join_path(std::string_view directory, std::string_view path) {
    std::string joined(directory == "/" ? "" : directory);
    for (std::size_t at = 0; at < path.size();) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        const std::string_view part = path.substr(at, end - at);
        if (!part.empty() && part != ".") {
            joined.append("/").append(part);
        }
        at = end + 1;
    }
    return joined.empty() ? "/" : joined;
}

std::optional<std::string> below(const std::string& path, const std::string& prefix) {
    if (prefix == "/") {
        return path;
    }
    if (path == prefix) {
        return "/";
    }
    if (path.starts_with(prefix) && path[prefix.size()] == '/') {
        return path.substr(prefix.size());
    }
    return std::nullopt;
}

namespace {

// proc_pid_mountinfo(5): blanks and backslashes of a path are \040 and the like.
std::string unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t at = 0; at < text.size(); ++at) {
        int value = 0;
        if (text[at] == '\\' && at + 3 < text.size() &&
            std::from_chars(text.data() + at + 1, text.data() + at + 4, value, 8).ptr ==
                text.data() + at + 4) {
            plain.push_back(static_cast<char>(value));
            at += 3;
        } else {
            plain.push_back(text[at]);
        }
    }
    return plain;
}

}  // namespace

Result<ContainerMounts> read_mounts(const CallerView& view) {
    constexpr std::size_t kMaxMountinfo = 8U << 20U;
    constexpr int kPlace = 5;  // the mount point, from 1
    const auto text = read_text_at(
        AT_FDCWD, "/proc/" + std::to_string(view.ids.tid.value) + "/mountinfo", kMaxMountinfo);
    if (!text) {
        return text.error();
    }
    ContainerMounts mounts;
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string word;
        for (int field = 0; field < kPlace; ++field) {
            words >> word;
        }
        std::string place = unescaped(word);
        const auto fd = open_scoped(view.root.get(), place, Scope::kInRoot);
        const auto mount = fd ? mount_of(fd->get()) : fd.error();
        const auto is_known = [&](const ContainerMount& known) { return known.mount == *mount; };
        if (mount && std::none_of(mounts.begin(), mounts.end(), is_known)) {
            mounts.push_back({*mount, std::move(place)});
        }
    }
    return mounts;
}

FileNamer::FileNamer(const CallerView& view, const std::optional<RootIdentity>& container,
                     const ContainerMounts* mounts)
    : view_(view), mounts_(mounts) {
    const auto status = status_of(view.root.get());
    const bool is_container_root = status && container && status->mount_is_unique &&
                                   status->mount == container->mount &&
                                   status->id == container->directory;
    if (is_container_root && mounts == nullptr) {
        // A mount is of one namespace, and so is its root's name.
        root_status_ = *status;
        caller_ = *container;
        prefix_ = container->prefix;
        return;
    }
    const auto prefix = name_of(view.root.get());
    if (is_container_root && prefix && *prefix == container->prefix) {
        root_status_ = *status;
        caller_ = *container;
        prefix_ = container->prefix;
        return;
    }
    const auto space = status_at("/proc/" + std::to_string(view.ids.tid.value) + "/ns/mnt");
    if (!status || !prefix || !space) {
        failure_ = !status ? status.error() : !prefix ? prefix.error() : space.error();
        return;
    }
    root_status_ = *status;
    caller_ = {status->id, space->id, status->mount_is_unique ? status->mount : 0, *prefix};
    foreign_ = container && container->mount_namespace != caller_.mount_namespace;
    if (container && mounts != nullptr && !foreign_) {
        find_container_root(*container);
        foreign_ = !container_root_.valid();
    }
    prefix_ = container && !foreign_ ? container->prefix : caller_.prefix;
}

// From the caller's root upwards: pivot_root(2) can have put another one there.
void FileNamer::find_container_root(const RootIdentity& container) {
    const auto way = below(caller_.prefix, container.prefix);
    if (!way) {
        return;
    }
    const std::size_t levels =
        *way == "/" ? 0 : static_cast<std::size_t>(std::count(way->begin(), way->end(), '/'));
    auto root = open_above(view_.root.get(), levels);
    const auto status = root ? status_of(root->get()) : root.error();
    if (status && status->id == container.directory &&
        (container.mount == 0 || status->mount == container.mount)) {
        container_root_ = std::move(*root);
    }
}

Result<std::string> FileNamer::name(int fd, const FileStatus& status, ReachedFrom from) const {
    if (prefix_ == caller_.prefix && !foreign_ && status.id == root_status_.id &&
        status.mount == root_status_.mount) {
        return std::string("/");
    }
    const auto raw = name_of(fd);
    if (!raw) {
        return raw.error();
    }
    const bool deleted = status.links == 0;
    // A memfd lives on the kernel's own tmpfs; a deleted file of that name in the root does not.
    if (deleted && raw->starts_with(kMemfd) && status.id.device != root_status_.id.device) {
        return without_deleted(raw->substr(1));
    }
    const std::string path = deleted ? without_deleted(*raw) : *raw;
    const auto inside = below(path, prefix_);
    const auto from_caller = below(path, caller_.prefix);
    bool sure = inside.has_value();
    if (sure && from == ReachedFrom::kElsewhere && !deleted) {
        sure = false;
        if (from_caller) {
            const auto again = open_scoped(view_.root.get(), *from_caller, Scope::kInRoot);
            const auto found = again ? status_of(again->get()) : again.error();
            sure = found && found->id == status.id;
        }
    }
    if (!sure) {
        return std::string(kUnreachable) + *raw;
    }
    std::string name = deleted ? *inside + std::string(kDeleted) : *inside;
    const bool other = foreign_ || !is_of_start(status.mount, *inside);
    return other ? std::string(kOtherMounts) + name : name;
}

// A mount of the start can be moved, or lie under a later one.
bool FileNamer::is_of_start(std::uint64_t mount, const std::string& name) const {
    if (mounts_ == nullptr) {
        return true;
    }
    const ContainerMount* deepest = nullptr;
    for (const ContainerMount& known : *mounts_) {
        if (below(name, known.place) &&
            (deepest == nullptr || known.place.size() > deepest->place.size())) {
            deepest = &known;
        }
    }
    if (deepest == nullptr || deepest->mount != mount) {
        return false;
    }
    if (deepest->place == "/") {
        return true;
    }
    const int root = container_root_.valid() ? container_root_.get() : view_.root.get();
    const auto place = open_scoped(root, deepest->place, Scope::kInRoot);
    const auto there = place ? mount_of(place->get()) : place.error();
    return there && *there == mount;
}

std::optional<std::string> FileNamer::name_for_caller(int fd) const {
    if (prefix_ == caller_.prefix) {
        return std::nullopt;
    }
    const auto raw = name_of(fd);
    return raw ? below(without_deleted(*raw), caller_.prefix) : std::nullopt;
}

}  // namespace execseal
