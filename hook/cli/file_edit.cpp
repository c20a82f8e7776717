#include "hook/cli/file_edit.h"

#include <cerrno>
#include <utility>

#include "hook/os/file_read.h"

namespace execseal {
namespace {

constexpr std::size_t kLargest = std::size_t{4} << 20U;

Result<Text> reverse_of(const std::string& path, const std::string& before,
                        const Changes& changes) {
    const auto kept = read_if_there(backup_of(path));
    if (!kept) {
        return kept.error();
    }
    if (const auto installed = changes.install(*kept); installed && *installed == before) {
        return *kept;
    }
    return changes.remove(before);
}

}  // namespace

std::string backup_of(const std::string& path) {
    return path + ".before-execseal";
}

Result<Text> read_if_there(const std::string& path) {
    auto text = read_file(path, kLargest);
    if (text) {
        return Text(std::move(*text));
    }
    if (text.error().code == ENOENT || text.error().code == ENOTDIR) {
        return Text();
    }
    return text.error();
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

Result<std::string> our_text(const NodePlace& place, const std::string& name) {
    auto text = read_file(place.share + "/" + name, kLargest);
    if (!text) {
        return add_context("what execseal installs", text.error());
    }
    replace_all(*text, "/usr/bin/execseal-runtime", place.runtime);
    replace_all(*text, "/usr/libexec/execseal/execseal-hook", place.hook);
    return text;
}

Result<FileEdit> edit_of(const std::string& path, InstallDirection direction,
                         const Changes& changes) {
    auto before = read_if_there(path);
    if (!before) {
        return before.error();
    }
    FileEdit edit{path, *before, *before};
    if (direction == InstallDirection::kUninstall && !*before) {
        return edit;
    }
    auto after = direction == InstallDirection::kInstall ? changes.install(*before)
                                                         : reverse_of(path, **before, changes);
    if (!after) {
        return add_context(path, after.error());
    }
    edit.after = std::move(*after);
    if (direction == InstallDirection::kInstall && *before) {
        const auto without = changes.remove(*before);
        edit.first = without && *without == *before;
    }
    return edit;
}

}  // namespace execseal
