// wrapped_program: programs that run another program named by their arguments.
//
// Takes argv, gives which program is meant: `ld.so OPTIONS PROG ARGS`, and the applet of a
// multi-call binary. Pure; whether a file is a loader or a busybox at all is found elsewhere.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace execseal {

// kListing: the loader maps the program but does not run it (--list, ldd), or runs nothing at all.
// kAltered: options name other libraries (--preload, --audit, --library-path ...), so what runs is
// more than the program. kPlain: the same as executing the program itself. kUnknown: an option that
// neither loader is known to have.
enum class LoaderUse { kUnknown, kListing, kAltered, kPlain };

struct LoaderCommand {
    LoaderUse use = LoaderUse::kListing;
    std::string program;                   // empty where none is named
    std::vector<std::string> argv;         // what the program gets
    std::vector<std::string> objects;      // of --preload and --audit
    std::vector<std::string> directories;  // of --library-path
    std::string unknown;                   // what cannot be understood, for kUnknown
};

// Of glibc's rtld.c and musl's dynlink.c; both spell long options with two dashes, musl also takes
// "--option=value".
LoaderCommand parse_loader_command(const std::vector<std::string>& argv);

struct Applet {
    std::string name;               // the last component of what chose it
    std::vector<std::string> argv;  // from the applet on
};

// `marks` is "busybox" or "toybox": a name that starts with it runs the applet named by the next
// argument. nullopt: no applet runs (`busybox`, `busybox --list`).
std::optional<Applet> pick_applet(const std::vector<std::string>& argv, const std::string& mark);

// The part after the last slash.
std::string base_name(const std::string& path);

}  // namespace execseal
