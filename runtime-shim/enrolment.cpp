#include "runtime-shim/enrolment.h"

#include <unistd.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "config/spec/spec_edit.h"
#include "hook/launch/launch.h"
#include "hook/os/executable.h"
#include "hook/os/log.h"

namespace execseal {
namespace {

// Absolute and without symlinks: the runtimes report the bundle to the hooks in this form, and the
// plan's directory is named by it.
Result<std::string> bundle_of(const CommandLine& line) {
    auto bundle = real_path(line.bundle.empty() ? "." : line.bundle);
    return bundle ? std::move(bundle) : Result<std::string>(add_context("bundle", bundle.error()));
}

Result<> check_supported(const CommandLine& line, const SpecFile& spec, const std::string& bundle) {
    if (line.subcommand == Subcommand::kRestore) {
        return make_error(
            "restore: a checkpoint brings back its filter without a listener, "
            "expected a container that is not supervised");
    }
    // The hook goes by the bundle's config.json.
    if (!line.config_file.empty()) {
        const auto usual = real_path(bundle + "/config.json");
        if (!usual || *usual != spec.path()) {
            return make_error("command line: --config " + line.config_file +
                              ": expected the bundle's config.json for a supervised container");
        }
    }
    return Ok{};
}

}  // namespace

Result<Enrolment> Enrolment::make(const CommandLine& line, const Settings& settings) {
    const auto bundle = bundle_of(line);
    if (!bundle) {
        return bundle.error();
    }
    // crun takes --config relative to the caller's directory, not to the bundle.
    auto file =
        SpecFile::open(line.config_file.empty() ? *bundle + "/config.json" : line.config_file);
    if (!file) {
        return file.error();
    }
    const auto spec = file->parse();
    if (!spec) {
        return spec.error();
    }
    auto plan = plan_container(*spec, line.container_id, *bundle, settings);
    if (!plan) {
        return plan.error();
    }
    Enrolment enrolment(std::move(*file), settings);
    if (!*plan) {
        return enrolment;
    }
    if (auto checked = check_supported(line, enrolment.spec_, *bundle); !checked) {
        return checked.error();
    }
    const auto edited = edit_spec(*spec, **plan, edit_inputs_from(settings));
    if (!edited) {
        return make_error(enrolment.spec_.path() + ": " + edited.error().text());
    }
    if (auto written = enrolment.spec_.write(*edited); !written) {
        return written.error();
    }
    // crun connects to the listener before it runs any hook, so it must listen by then. This
    // process becomes the runtime: its end is the end of the create.
    if (auto launched = launch_supervisor(**plan, settings, {.creator = ::getpid(), .arrival = {}});
        !launched) {
        return add_context("supervisor", launched.error());
    }
    enrolment.plan_ = std::move(**plan);
    return enrolment;
}

Enrolment::Enrolment(Enrolment&& other) noexcept
    : spec_(std::exchange(other.spec_, SpecFile())),
      settings_(std::move(other.settings_)),
      plan_(std::exchange(other.plan_, std::nullopt)) {}

Enrolment::~Enrolment() {
    undo();
}

void Enrolment::undo() noexcept {
    if (plan_) {
        if (auto retired = retire_supervisor(*plan_, settings_); !retired) {
            log_warning(retired.error().text());
        }
        plan_.reset();
    }
    if (auto restored = spec_.restore(); !restored) {
        log_warning(restored.error().text());
    }
}

}  // namespace execseal
