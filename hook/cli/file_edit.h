// One file of another program that `execseal install` changes, and the exact reverse.
//
// Reads; changes nothing. An installed file is what `install` makes of the copy that was kept of it
// (FILE.before-execseal), or of nothing where there is no copy: then its reverse is that copy, or
// no file, byte for byte. Where somebody has changed it since, ours is taken out of what is there.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "hook/os/result.h"

namespace execseal {

enum class InstallDirection { kInstall, kUninstall };

struct NodePlace {
    std::string root;   // before every path that is changed; empty: this node
    std::string share;  // where the texts are
    // What stands in the texts instead of the package's paths.
    std::string runtime;  // execseal-runtime
    std::string hook;     // execseal-hook
};

// A whole file; nullopt: no such file.
using Text = std::optional<std::string>;

struct FileEdit {
    std::string path;
    Text before;
    Text after;
    bool whole = false;  // the file is all ours: removed, not edited
    bool first = false;  // nothing of ours is in it: what is there is worth a copy
};

std::string backup_of(const std::string& path);

Result<Text> read_if_there(const std::string& path);

void replace_all(std::string& text, const std::string& from, const std::string& to);

// A text that execseal came with (share/execseal/NAME), with this prefix's programs in it.
Result<std::string> our_text(const NodePlace& place, const std::string& name);

// What a file is to become.
using Change = std::function<Result<Text>(const Text& was)>;

// `remove` gives a text without ours, the same text where there is nothing of it.
struct Changes {
    Change install;
    Change remove;
};

Result<FileEdit> edit_of(const std::string& path, InstallDirection direction,
                         const Changes& changes);

}  // namespace execseal
