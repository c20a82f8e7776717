#include "hook/exec/naming.h"

#include <algorithm>
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

FileNamer::FileNamer(const CallerView& view, const std::optional<RootIdentity>& container)
    : view_(view) {
    const auto status = status_of(view.root.get());
    if (status && container && status->mount_is_unique && status->mount == container->mount &&
        status->id == container->directory) {
        // A mount is of one namespace, and so is its root's name.
        root_status_ = *status;
        caller_ = *container;
        prefix_ = container->prefix;
        return;
    }
    const auto prefix = name_of(view.root.get());
    const auto mounts = status_at("/proc/" + std::to_string(view.ids.tid.value) + "/ns/mnt");
    if (!status || !prefix || !mounts) {
        failure_ = !status ? status.error() : !prefix ? prefix.error() : mounts.error();
        return;
    }
    root_status_ = *status;
    caller_ = {status->id, mounts->id, status->mount_is_unique ? status->mount : 0, *prefix};
    foreign_ = container && container->mount_namespace != caller_.mount_namespace;
    prefix_ = container && !foreign_ ? container->prefix : caller_.prefix;
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
    return foreign_ ? std::string(kOtherMounts) + name : name;
}

std::optional<std::string> FileNamer::name_for_caller(int fd) const {
    if (prefix_ == caller_.prefix) {
        return std::nullopt;
    }
    const auto raw = name_of(fd);
    return raw ? below(without_deleted(*raw), caller_.prefix) : std::nullopt;
}

}  // namespace execseal
