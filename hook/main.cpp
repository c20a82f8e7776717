// execseal-hook: the OCI hook, the supervisor that it starts, and the node agent.

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "execseal_version.h"
#include "hook/agent/agent.h"
#include "hook/agent/profile.h"
#include "hook/os/own_limits.h"
#include "hook/precreate.h"
#include "hook/stages.h"
#include "hook/supervisor/supervise.h"

namespace {

constexpr const char* kUsage =
    "Usage: execseal-hook STAGE\n"
    "\n"
    "OCI hook stages, called by a runtime with the container's state on stdin:\n"
    "  createRuntime   start or verify the supervisor of a container\n"
    "  poststop        clear what a dead supervisor has left\n"
    "\n"
    "podman's stage, with config.json on stdin and the edited one on stdout:\n"
    "  precreate       edit config.json and start the supervisor\n"
    "\n"
    "For ready seccomp profiles, whose listenerPath is one fixed socket:\n"
    "  agent           serve that socket, one supervisor a container\n"
    "  profile POLICY [--base FILE | --unconfined] [--cap CAP_NAME]...\n"
    "                  print such a profile\n"
    "\n"
    "Started by the above, not by hand:\n"
    "  supervise       serve one container\n"
    "\n"
    "  --version, --help\n";

int wrong_usage(const std::string& problem) {
    (void)std::fprintf(stderr, "execseal-hook: %s (see: execseal-hook --help)\n", problem.c_str());
    return 2;
}

int run(const std::vector<std::string>& arguments) {
    if (arguments.empty()) {
        return wrong_usage("expected a stage");
    }
    const std::string& stage = arguments[0];
    if (stage == "profile") {
        return execseal::run_profile({arguments.begin() + 1, arguments.end()});
    }
    if (arguments.size() > 1) {
        return wrong_usage(arguments[1] + ": expected nothing behind " + stage);
    }
    if (stage == "agent") {
        return execseal::run_agent();
    }
    if (stage == "createRuntime") {
        return execseal::run_create_runtime();
    }
    if (stage == "poststop") {
        return execseal::run_poststop();
    }
    if (stage == "precreate") {
        return execseal::run_precreate();
    }
    if (stage == "supervise") {
        return execseal::run_supervise();
    }
    if (stage == "--version") {
        std::printf("execseal-hook %s\n", execseal::kVersion);
        return 0;
    }
    if (stage == "--help" || stage == "-h") {
        (void)std::fputs(kUsage, stdout);
        return 0;
    }
    return wrong_usage(stage + ": no such stage");
}

}  // namespace

int main(int argc, char** argv) {
    execseal::lift_own_limits();
    try {
        return run({argv + (argc > 0 ? 1 : 0), argv + argc});
    } catch (const std::exception& failure) {
        (void)std::fprintf(stderr, "execseal-hook: %s\n", failure.what());
        return 1;
    }
}
