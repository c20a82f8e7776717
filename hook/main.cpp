// execseal-hook: the OCI hook, and the supervisor that it starts.

#include <cstdio>
#include <exception>
#include <string_view>

#include "execseal_version.h"
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
    "Started by the above, not by hand:\n"
    "  supervise       serve one container\n"
    "\n"
    "  --version, --help\n";

int run(std::string_view stage) {
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
    const bool help = stage == "--help" || stage == "-h";
    (void)std::fputs(kUsage, help ? stdout : stderr);
    return help ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc == 2 ? argv[1] : "");
    } catch (const std::exception& failure) {
        (void)std::fprintf(stderr, "execseal-hook: %s\n", failure.what());
        return 1;
    }
}
