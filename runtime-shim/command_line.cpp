#include "runtime-shim/command_line.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>

namespace execseal {
namespace {

enum class Takes { kNothing, kValue };

struct Flag {
    std::string_view name;  // with its dashes
    Takes takes;
};

// runc 1.1 to 1.3 and crun 1.8 to 1.20.
constexpr std::array kGlobalFlags{
    Flag{"--debug", Takes::kNothing},
    Flag{"--systemd-cgroup", Takes::kNothing},
    Flag{"--cgroup-manager", Takes::kValue},
    Flag{"--criu", Takes::kValue},
    Flag{"--log", Takes::kValue},
    Flag{"--log-format", Takes::kValue},
    Flag{"--log-level", Takes::kValue},
    Flag{"--root", Takes::kValue},
    Flag{"--rootless", Takes::kValue},
};

// Flags of create and run.
constexpr std::array kCreateFlags{
    Flag{"--bundle", Takes::kValue},         Flag{"-b", Takes::kValue},
    Flag{"--config", Takes::kValue},         Flag{"-f", Takes::kValue},
    Flag{"--console-socket", Takes::kValue}, Flag{"--pid-file", Takes::kValue},
    Flag{"--pidfd-socket", Takes::kValue},   Flag{"--preserve-fds", Takes::kValue},
    Flag{"--detach", Takes::kNothing},       Flag{"-d", Takes::kNothing},
    Flag{"--keep", Takes::kNothing},         Flag{"--no-subreaper", Takes::kNothing},
    Flag{"--no-pivot", Takes::kNothing},     Flag{"--no-new-keyring", Takes::kNothing},
};

// Flags of restore that create and run do not have.
constexpr std::array kRestoreFlags{
    Flag{"--image-path", Takes::kValue},          Flag{"--work-path", Takes::kValue},
    Flag{"--manage-cgroups-mode", Takes::kValue}, Flag{"--empty-ns", Takes::kValue},
    Flag{"--lsm-profile", Takes::kValue},         Flag{"--lsm-mount-context", Takes::kValue},
    Flag{"--tcp-established", Takes::kNothing},   Flag{"--ext-unix-sk", Takes::kNothing},
    Flag{"--shell-job", Takes::kNothing},         Flag{"--file-locks", Takes::kNothing},
    Flag{"--auto-dedup", Takes::kNothing},        Flag{"--lazy-pages", Takes::kNothing},
};

// They print and exit, in front of anything else.
constexpr std::array<std::string_view, 7> kInformative{"--help",    "-h", "-?", "--usage",
                                                       "--version", "-v", "-V"};

bool is_informative(std::string_view argument) {
    return std::ranges::find(kInformative, argument) != kInformative.end();
}

// "-" alone is a positional argument for both.
bool is_flag(std::string_view argument) {
    return argument.size() > 1 && argument.front() == '-';
}

Subcommand subcommand_from(std::string_view word) {
    if (word == "create") {
        return Subcommand::kCreate;
    }
    if (word == "run") {
        return Subcommand::kRun;
    }
    if (word == "restore") {
        return Subcommand::kRestore;
    }
    return Subcommand::kOther;
}

const Flag* find_flag(std::span<const Flag> table, std::string_view name) {
    const auto found = std::ranges::find(table, name, &Flag::name);
    return found == table.end() ? nullptr : &*found;
}

// One flag with its value, and the index of the argument behind both.
struct ReadFlag {
    std::string_view name;
    std::string_view value;
    std::size_t next = 0;
};

enum class FlagProblem { kUnknown, kAmbiguous, kValueMissing };

struct FlagReading {
    std::optional<ReadFlag> flag;
    FlagProblem problem = FlagProblem::kUnknown;
};

FlagReading read_flag(const std::vector<std::string>& arguments, std::size_t at,
                      std::span<const std::span<const Flag>> tables) {
    const std::string_view argument = arguments[at];
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    // runc (Go's flag package) reads "-bundle X" as --bundle X, crun (argp) as -b with the value
    // "undle"; the same goes for "-bX" and "-b=X".
    if (!argument.starts_with("--") && argument.size() > 2) {
        return {.flag = std::nullopt, .problem = FlagProblem::kAmbiguous};
    }
    const Flag* flag = nullptr;
    for (const auto table : tables) {
        if (flag == nullptr) {
            flag = find_flag(table, name);
        }
    }
    if (flag == nullptr) {
        return {.flag = std::nullopt, .problem = FlagProblem::kUnknown};
    }
    if (equals != std::string_view::npos) {
        return {.flag = ReadFlag{flag->name, argument.substr(equals + 1), at + 1}};
    }
    if (flag->takes == Takes::kNothing) {
        return {.flag = ReadFlag{flag->name, {}, at + 1}};
    }
    if (at + 1 >= arguments.size()) {
        return {.flag = std::nullopt, .problem = FlagProblem::kValueMissing};
    }
    return {.flag = ReadFlag{flag->name, arguments[at + 1], at + 2}};
}

Error flag_error(const std::string& argument, FlagProblem problem) {
    switch (problem) {
        case FlagProblem::kUnknown:
            return make_error("command line: " + argument +
                              ": expected a flag that runc or crun has, written out in full");
        case FlagProblem::kAmbiguous:
            return make_error("command line: " + argument +
                              ": runc and crun read this differently, expected --flag=value");
        case FlagProblem::kValueMissing:
            return make_error("command line: " + argument + ": expected a value behind it");
    }
    return make_error("command line: " + argument);
}

// True when a word from `from` on could be a subcommand that makes a container.
bool could_make_a_container(const std::vector<std::string>& arguments, std::size_t from) {
    return std::any_of(
        arguments.begin() + static_cast<std::ptrdiff_t>(from), arguments.end(),
        [](const std::string& word) { return subcommand_from(word) != Subcommand::kOther; });
}

void remember(CommandLine& line, const ReadFlag& flag) {
    // Of a repeated flag the last one counts, in both runtimes.
    if (flag.name == "--bundle" || flag.name == "-b") {
        line.bundle = flag.value;
    } else if (flag.name == "--config" || flag.name == "-f") {
        line.config_file = flag.value;
    }
}

// Both runtimes refuse such ids as well (runc validateID, crun libcrun_status_check_directories);
// here it must not become part of a path before they do.
Result<> check_id(const std::string& id) {
    if (id.empty() || id == "." || id == ".." || id.find('/') != std::string::npos) {
        return make_error("command line: container id \"" + id +
                          "\": expected a name without a slash");
    }
    return Ok{};
}

// `at` is the index behind the subcommand.
Result<CommandLine> parse_create(const std::vector<std::string>& arguments, std::size_t at,
                                 Subcommand subcommand) {
    const std::array<std::span<const Flag>, 2> tables{
        kCreateFlags, subcommand == Subcommand::kRestore ? std::span<const Flag>(kRestoreFlags)
                                                         : std::span<const Flag>()};
    CommandLine line;
    line.subcommand = subcommand;
    std::vector<std::string> positional;
    bool flags_ended = false;
    while (at < arguments.size()) {
        const std::string& argument = arguments[at];
        // runc sorts flags to the front (urfave/cli reorderArgs), so they count behind the id, too.
        if (flags_ended || !is_flag(argument)) {
            positional.push_back(argument);
            ++at;
        } else if (argument == "--") {
            flags_ended = true;
            ++at;
        } else if (is_informative(argument)) {
            return CommandLine{};
        } else {
            const FlagReading reading = read_flag(arguments, at, tables);
            if (!reading.flag) {
                return flag_error(argument, reading.problem);
            }
            remember(line, *reading.flag);
            at = reading.flag->next;
        }
    }
    if (positional.size() != 1) {
        return make_error("command line: expected one container id, found " +
                          std::to_string(positional.size()) + " arguments");
    }
    line.container_id = positional.front();
    if (auto checked = check_id(line.container_id); !checked) {
        return checked.error();
    }
    return line;
}

}  // namespace

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
    const std::array<std::span<const Flag>, 1> tables{kGlobalFlags};
    std::size_t at = 0;
    while (at < arguments.size() && is_flag(arguments[at])) {
        if (arguments[at] == "--") {
            ++at;
            break;
        }
        if (is_informative(arguments[at])) {
            return CommandLine{};
        }
        const FlagReading reading = read_flag(arguments, at, tables);
        if (!reading.flag) {
            // Without the flag's table entry its value and the subcommand cannot be told apart.
            if (could_make_a_container(arguments, at + 1)) {
                return flag_error(arguments[at], reading.problem);
            }
            return CommandLine{};
        }
        at = reading.flag->next;
    }
    if (at >= arguments.size()) {
        return CommandLine{};
    }
    const Subcommand subcommand = subcommand_from(arguments[at]);
    if (subcommand == Subcommand::kOther) {
        return CommandLine{};
    }
    return parse_create(arguments, at + 1, subcommand);
}

LogOptions find_log_options(const std::vector<std::string>& arguments) {
    const std::array<std::span<const Flag>, 1> tables{kGlobalFlags};
    LogOptions options;
    std::size_t at = 0;
    while (at < arguments.size() && is_flag(arguments[at])) {
        const FlagReading reading = read_flag(arguments, at, tables);
        if (!reading.flag) {
            ++at;
            continue;
        }
        if (reading.flag->name == "--log") {
            options.file = reading.flag->value;
        } else if (reading.flag->name == "--log-format") {
            options.format = reading.flag->value == "json" ? LogFormat::kJson : LogFormat::kText;
        }
        at = reading.flag->next;
    }
    return options;
}

}  // namespace execseal
