// execseal-runtime: stands in front of runc or crun.
//
// create and run of a container that a policy covers: its config.json is edited and its supervisor
// started (enrolment.h). Then, and for every other call at once, this process becomes the real
// runtime, so that exit code, signals, stdio and console are the runtime's own. A create that
// cannot be supervised fails with one line and exit code 1, and nothing is left behind.
#include <cstdio>
#include <exception>

#include "config/real_runtime.h"
#include "config/settings.h"
#include "config/user_settings.h"
#include "hook/os/executable.h"
#include "runtime-shim/command_line.h"
#include "runtime-shim/enrolment.h"
#include "runtime-shim/error_report.h"

namespace execseal {
namespace {

Error become_runtime(const std::string& runtime, const std::vector<std::string>& arguments) {
    std::vector<std::string> argv{runtime};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return become_program(runtime, argv);
}

// Returns only if execve(2) failed.
Error pass_through(const std::string& called_as, const std::vector<std::string>& arguments) {
    const auto runtimes = read_runtimes(settings_path());
    if (!runtimes) {
        return runtimes.error();
    }
    const auto runtime = find_real_runtime(runtimes_for(called_as, *runtimes), program_path());
    if (!runtime) {
        return runtime.error();
    }
    return become_runtime(*runtime, arguments);
}

Error create(const std::string& called_as, const CommandLine& line,
             const std::vector<std::string>& arguments) {
    const auto settings = load_settings(settings_path());
    if (!settings) {
        return settings.error();
    }
    const auto runtime =
        find_real_runtime(runtimes_for(called_as, settings->runtimes), program_path());
    if (!runtime) {
        return runtime.error();
    }
    const auto enrolment = Enrolment::make(line, *settings);
    if (!enrolment) {
        return with_users_way(*settings, enrolment.error());
    }
    // If this returns, the enrolment is undone on the way out.
    return become_runtime(*runtime, arguments);
}

Error run(const std::string& called_as, const std::vector<std::string>& arguments) {
    const auto line = parse_command_line(arguments);
    if (!line) {
        return line.error();
    }
    switch (line->subcommand) {
        case Subcommand::kOther:
            return pass_through(called_as, arguments);
        case Subcommand::kCreate:
        case Subcommand::kRun:
        case Subcommand::kRestore:
            break;
    }
    return create(called_as, *line, arguments);
}

}  // namespace
}  // namespace execseal

int main(int argc, char** argv) {
    try {
        const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
        execseal::report_error(execseal::run(argc > 0 ? argv[0] : "", arguments).text(),
                               execseal::find_log_options(arguments));
    } catch (const std::exception& error) {
        // Nothing of ours throws; what a library throws (std::bad_alloc) must not end in a core.
        (void)std::fprintf(stderr, "execseal-runtime: %s\n", error.what());
    }
    return 1;
}
