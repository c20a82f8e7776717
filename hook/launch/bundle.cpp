#include "hook/launch/bundle.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "config/json_reader.h"
#include "config/spec/spec_file.h"
#include "hook/os/byte_io.h"
#include "hook/os/executable.h"

namespace execseal {
Result<std::string> read_stdin() {
    auto text = read_all(STDIN_FILENO, kSpecLimit);
    return text ? std::move(text) : Result<std::string>(add_context("stdin", text.error()));
}

Result<std::optional<Plan>> plan_bundle(const std::string& container_id, const std::string& bundle,
                                        const Settings& settings, nlohmann::ordered_json& spec) {
    // The shim plans with the resolved path, and the plan must be the same.
    auto resolved = real_path(bundle);
    if (!resolved) {
        return resolved.error();
    }
    JsonLimits limits;
    limits.bytes = kSpecLimit;
    auto json = load_json(*resolved + "/config.json", limits);
    if (!json) {
        return json.error();
    }
    spec = std::move(*json);
    return plan_container(spec, container_id, *resolved, settings);
}

}  // namespace execseal
