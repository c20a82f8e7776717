// enrolment: makes a container that is about to be created one of ours.
//
// Takes a create or run and the settings. Plans the container; if it is ours, its config.json is
// edited and its supervisor's socket listens afterwards. Must never leave half of that behind: what
// was done is undone by the destructor unless the process becomes the runtime.
#pragma once

#include <optional>
#include <string>

#include "config/plan.h"
#include "config/settings.h"
#include "config/spec/spec_file.h"
#include "hook/os/result.h"
#include "runtime-shim/command_line.h"

namespace execseal {

class Enrolment {
  public:
    // Ok also for a container that is not ours: then nothing was touched.
    static Result<Enrolment> make(const CommandLine& line, const Settings& settings);

    Enrolment(Enrolment&& other) noexcept;
    Enrolment& operator=(Enrolment&&) = delete;
    Enrolment(const Enrolment&) = delete;
    Enrolment& operator=(const Enrolment&) = delete;
    ~Enrolment();

  private:
    // Ends the supervisor and puts config.json back. Idempotent. For when the real runtime could
    // not be executed; after a successful exec nobody is left to call it.
    void undo() noexcept;

    Enrolment(SpecFile spec, Settings settings)
        : spec_(std::move(spec)), settings_(std::move(settings)) {}

    SpecFile spec_;
    Settings settings_;
    std::optional<Plan> plan_;  // of a supervisor that runs
};

}  // namespace execseal
