#include "hook/exec/wrapped.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace execseal {
namespace {

enum class OptionKind { kEnds, kAlters, kObjects, kDirectories, kSubfolders, kNames, kHarmless };
enum class OptionValue { kNone, kOne };

struct LoaderOption {
    std::string_view name;
    OptionKind kind;
    OptionValue value;
};

// glibc 2.36 elf/rtld.c; musl 1.2.3 ldso/dynlink.c knows --list, --library-path, --preload,
// --argv0.
constexpr std::array<LoaderOption, 14> kLoaderOptions{{
    {"--list", OptionKind::kEnds, OptionValue::kNone},
    {"--verify", OptionKind::kEnds, OptionValue::kNone},
    {"--help", OptionKind::kEnds, OptionValue::kNone},
    {"--version", OptionKind::kEnds, OptionValue::kNone},
    {"--list-tunables", OptionKind::kEnds, OptionValue::kNone},
    {"--list-diagnostics", OptionKind::kEnds, OptionValue::kNone},
    {"--inhibit-cache", OptionKind::kHarmless, OptionValue::kNone},
    {"--library-path", OptionKind::kDirectories, OptionValue::kOne},
    {"--inhibit-rpath", OptionKind::kAlters, OptionValue::kOne},
    {"--audit", OptionKind::kObjects, OptionValue::kOne},
    {"--preload", OptionKind::kObjects, OptionValue::kOne},
    {"--glibc-hwcaps-prepend", OptionKind::kSubfolders, OptionValue::kOne},
    {"--glibc-hwcaps-mask", OptionKind::kAlters, OptionValue::kOne},
    {"--argv0", OptionKind::kNames, OptionValue::kOne},
}};

const LoaderOption* find_option(std::string_view name) {
    const auto* const found = std::find_if(kLoaderOptions.begin(), kLoaderOptions.end(),
                                           [&](const LoaderOption& o) { return o.name == name; });
    return found == kLoaderOptions.end() ? nullptr : found;
}

}  // namespace

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

namespace {

void append_parts(std::vector<std::string>& parts, const std::string& list,
                  const char* separators) {
    for (std::size_t at = 0; at <= list.size();) {
        const std::size_t end = std::min(list.find_first_of(separators, at), list.size());
        if (end > at) {
            parts.push_back(list.substr(at, end - at));
        }
        at = end + 1;
    }
}

void alter(LoaderCommand& command, OptionKind kind, const std::string& value) {
    command.use = std::min(command.use, LoaderUse::kAltered);
    if (kind == OptionKind::kObjects) {
        append_parts(command.objects, value, ": ");
    } else if (kind == OptionKind::kDirectories) {
        append_parts(command.directories, value, ":;");
    } else if (kind == OptionKind::kSubfolders && value.find('/') != std::string::npos) {
        command.use = LoaderUse::kUnknown;
        command.unknown = "--glibc-hwcaps-prepend " + value;
    }
}

}  // namespace

LoaderCommand parse_loader_command(const std::vector<std::string>& argv) {
    LoaderCommand command;
    command.use = LoaderUse::kPlain;
    std::optional<std::string> argv0;
    // musl started as "ldd" lists, whatever the file is called.
    const bool is_ldd = !argv.empty() && argv[0].ends_with("ldd");
    std::size_t at = 1;
    for (; at < argv.size() && argv[at].starts_with("--"); ++at) {
        if (argv[at] == "--") {
            ++at;
            break;
        }
        const std::size_t equals = argv[at].find('=');
        const LoaderOption* option = find_option(std::string_view(argv[at]).substr(0, equals));
        if (option == nullptr) {
            command.use = LoaderUse::kUnknown;
            command.unknown = argv[at];
            return command;
        }
        std::string value;
        if (option->value == OptionValue::kOne) {
            if (equals != std::string::npos) {
                value = argv[at].substr(equals + 1);
            } else if (++at < argv.size()) {
                value = argv[at];
            }
        }
        switch (option->kind) {
            case OptionKind::kEnds:
                command.use = std::min(command.use, LoaderUse::kListing);
                break;
            case OptionKind::kAlters:
            case OptionKind::kObjects:
            case OptionKind::kDirectories:
            case OptionKind::kSubfolders:
                alter(command, option->kind, value);
                break;
            case OptionKind::kNames:
                argv0 = value;
                break;
            case OptionKind::kHarmless:
                break;
        }
    }
    if (at >= argv.size()) {
        command.use = std::min(command.use, LoaderUse::kListing);
        return command;
    }
    if (is_ldd) {
        command.use = std::min(command.use, LoaderUse::kListing);
    }
    command.program = argv[at];
    command.argv.assign(argv.begin() + static_cast<std::ptrdiff_t>(at), argv.end());
    if (argv0) {
        command.argv[0] = *argv0;
    }
    return command;
}

std::optional<Applet> pick_applet(const std::vector<std::string>& argv, const std::string& mark) {
    if (argv.empty()) {
        return std::nullopt;
    }
    std::size_t at = 0;
    // A login shell's argv[0] starts with a dash; only there is it dropped.
    std::string name = argv[0];
    if (name.starts_with('-')) {
        name.erase(0, 1);
    }
    name = base_name(name);
    while (name.starts_with(mark)) {
        ++at;
        if (at >= argv.size() || argv[at].starts_with("--")) {
            return std::nullopt;
        }
        name = base_name(argv[at]);
    }
    if (name.empty() || name == "." || name == "..") {
        return std::nullopt;
    }
    return Applet{name, {argv.begin() + static_cast<std::ptrdiff_t>(at), argv.end()}};
}

}  // namespace execseal
