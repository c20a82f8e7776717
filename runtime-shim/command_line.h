// command_line: what a container engine asked of the runtime.
//
// Takes the arguments of runc's or crun's command line (runc --help, crun --help: one table for
// both), gives the subcommand and, for those that make a container, its bundle and id. Must never
// guess: where the two runtimes read a spelling differently, or a flag is not in the table, a
// command line that could make a container is refused, for a container that was overlooked here
// would run unsupervised.
#pragma once

#include <string>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

// kOther covers every call that passes straight through, `create --help` included.
enum class Subcommand { kCreate, kRun, kRestore, kOther };

struct CommandLine {
    Subcommand subcommand = Subcommand::kOther;
    std::string bundle;       // as given; empty: the current directory
    std::string config_file;  // crun's --config; empty: config.json of the bundle
    std::string container_id;
};

// `arguments` is argv without argv[0].
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);

enum class LogFormat { kText, kJson };

struct LogOptions {
    std::string file;  // empty: stderr only
    LogFormat format = LogFormat::kText;
};

// The global --log and --log-format, as far as they can be read; never fails, since errors about
// the command line itself go there, too.
LogOptions find_log_options(const std::vector<std::string>& arguments);

}  // namespace execseal
