#include "hook/stages.h"

#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/plan_json.h"
#include "config/spec/spec_edit.h"
#include "hook/launch/bundle.h"
#include "hook/launch/control_client.h"
#include "hook/launch/launch.h"
#include "hook/launch/oci_state.h"
#include "hook/os/state_dir.h"

namespace execseal {
namespace {

// The supervisor that is there must have been started for exactly what config.json, settings and
// policies say now.
Result<> verify_supervisor(const Plan& plan, const Settings& settings) {
    auto answer = ask_supervisor(plan.control_path, "plan", settings.deadlines.supervisor_start);
    if (!answer) {
        return add_context("supervisor of container " + plan.container_id, answer.error());
    }
    auto theirs = plan_from_json(*answer, plan.control_path);
    if (!theirs) {
        return theirs.error();
    }
    if (plan.container_name.empty()) {
        theirs->container_name.clear();  // the launcher asked the engine, which may rename it
    }
    if (*theirs != plan) {
        return make_error("container " + plan.container_id + ": its supervisor was started for " +
                          plan_to_json(*theirs).dump() + ", config.json and the policies now say " +
                          plan_to_json(plan).dump());
    }
    return Ok{};
}

// What a stage is about: the state on stdin, and what the settings and the bundle say of it.
struct HookCall {
    OciState state;
    Settings settings;
    nlohmann::ordered_json spec;
    std::optional<Plan> plan;  // nullopt: a container that is not ours
};

Result<HookCall> read_call() {
    auto text = read_stdin();
    if (!text) {
        return text.error();
    }
    auto state = parse_oci_state(*text, "state on stdin");
    if (!state) {
        return state.error();
    }
    auto settings = load_settings(settings_path());
    if (!settings) {
        return settings.error();
    }
    HookCall call{std::move(*state), std::move(*settings), {}, {}};
    auto plan = plan_bundle(call.state.id, call.state.bundle, call.settings, call.spec);
    if (!plan) {
        return plan.error();
    }
    call.plan = std::move(*plan);
    return call;
}

Result<> create_runtime() {
    const auto call = read_call();
    if (!call) {
        return call.error();
    }
    if (!call->plan) {
        return Ok{};
    }
    if (auto checked = check_edited_spec(call->spec, *call->plan, edit_inputs_from(call->settings));
        !checked) {
        return add_context(call->state.bundle + "/config.json", checked.error());
    }
    auto occupied = state_dir_is_occupied(call->plan->container_dir);
    if (!occupied) {
        return occupied.error();
    }
    return *occupied ? verify_supervisor(*call->plan, call->settings)
                     : launch_supervisor(*call->plan, call->settings,
                                         {.creator = ::getppid(), .arrival = {}});
}

Result<> poststop() {
    const auto call = read_call();
    if (!call) {
        return call.error();
    }
    return call->plan ? retire_supervisor(*call->plan, call->settings) : Ok{};
}

int report(const char* stage, const Result<>& result) {
    if (result) {
        return 0;
    }
    (void)std::fprintf(stderr, "execseal-hook %s: %s\n", stage, result.error().text().c_str());
    return 1;
}

}  // namespace

int run_create_runtime() {
    return report("createRuntime", create_runtime());
}
int run_poststop() {
    return report("poststop", poststop());
}

}  // namespace execseal
