#include "config/spec/spec_edit.h"

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "config/spec/seccomp_edit.h"
#include "config/spec/seccomp_rules.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

#if defined(__x86_64__)
constexpr std::string_view kNativeArchitecture = "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
constexpr std::string_view kNativeArchitecture = "SCMP_ARCH_AARCH64";
#else
#error "the supervisor reads system calls on x86_64 and aarch64 only"
#endif

// Longer than any policy's name and container id that pass elsewhere.
constexpr std::size_t kMetadataLimit = 4096;

// Annotations of crun (crun(1), "OCI EXTENSIONS") that a supervised container may not have.
struct RefusedAnnotation {
    std::string_view key;
    std::string_view reason;
};
constexpr std::array kRefusedAnnotations{
    RefusedAnnotation{"run.oci.seccomp_bpf_data", "replaces the whole seccomp filter"},
    RefusedAnnotation{"run.oci.seccomp.plugins", "gives the seccomp listener to a plugin"},
    RefusedAnnotation{"run.oci.seccomp.receiver", "gives the seccomp listener to another agent"},
    RefusedAnnotation{"run.oci.handler", "runs the container without an exec to judge"},
    RefusedAnnotation{"module.wasm.image/variant", "runs the container without an exec to judge"},
};

Result<> check_annotations(const Json& spec) {
    const auto annotations = spec.find("annotations");
    if (annotations == spec.end() || annotations->is_null()) {
        return Ok{};
    }
    if (!annotations->is_object()) {
        return make_error("/annotations: expected an object");
    }
    for (const RefusedAnnotation& refused : kRefusedAnnotations) {
        if (annotations->contains(refused.key)) {
            return make_error("/annotations/" + std::string(refused.key) + ": " +
                              std::string(refused.reason) +
                              ", expected none in a supervised container");
        }
    }
    return Ok{};
}

Json make_hook(const EditInputs& inputs, const std::string& stage) {
    Json hook = Json::object();
    hook["path"] = inputs.hook;
    hook["args"] = Json::array({"execseal-hook", stage});
    // Without "env" runc lets the hook inherit the engine's whole environment.
    hook["env"] = Json::array({"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               "EXECSEAL_CONFIG=" + inputs.settings});
    hook["timeout"] = inputs.hook_timeout.count();
    return hook;
}

// The same program for the same stage: an earlier edit's, or one that podman's hooks.d put in.
bool is_hook_of_ours(const Json& hook, const EditInputs& inputs, const std::string& stage) {
    if (!hook.is_object() || hook.value("path", Json()) != Json(inputs.hook)) {
        return false;
    }
    const Json args = hook.value("args", Json());
    return args.is_array() && args.size() >= 2 && args[1] == Json(stage);
}

// Leaves exactly one hook of ours, in the place of the first there was, else at the end.
Result<> put_hook(Json& hooks, const EditInputs& inputs, const std::string& stage) {
    Json& list = hooks[stage];
    if (list.is_null()) {
        list = Json::array();
    }
    if (!list.is_array()) {
        return make_error("/hooks/" + stage + ": expected an array");
    }
    Json kept = Json::array();
    bool placed = false;
    for (const Json& hook : list) {
        if (!is_hook_of_ours(hook, inputs, stage)) {
            kept.push_back(hook);
        } else if (!std::exchange(placed, true)) {
            kept.push_back(make_hook(inputs, stage));
        }
    }
    if (!placed) {
        kept.push_back(make_hook(inputs, stage));
    }
    list = std::move(kept);
    return Ok{};
}

Result<> put_hooks(Json& spec, const EditInputs& inputs) {
    if (inputs.hook.empty() || inputs.hook.front() != '/') {
        return make_error("/hooks: hook \"" + inputs.hook + "\": expected an absolute path");
    }
    Json& hooks = spec["hooks"];
    if (hooks.is_null()) {
        hooks = Json::object();
    }
    if (!hooks.is_object()) {
        return make_error("/hooks: expected an object");
    }
    if (auto checked = refuse_key_doubles(hooks, {"createRuntime", "poststop"}, "/hooks");
        !checked) {
        return checked;
    }
    for (const char* stage : {"createRuntime", "poststop"}) {
        if (auto put = put_hook(hooks, inputs, stage); !put) {
            return put;
        }
    }
    return Ok{};
}

// For whoever looks at the connection; the supervisor itself goes by its plan.
Result<std::string> make_metadata(const Plan& plan) {
    Json metadata = Json::object();
    metadata["policy"] = plan.policy.name;
    metadata["container"] = plan.container_id;
    // Names are bytes from outside; dump() throws on invalid UTF-8 unless told to replace it.
    std::string text = metadata.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > kMetadataLimit) {
        return make_error("/linux/seccomp/listenerMetadata: expected at most " +
                          std::to_string(kMetadataLimit) + " bytes of policy name and id");
    }
    return text;
}

}  // namespace

EditInputs edit_inputs_from(const Settings& settings) {
    EditInputs inputs;
    inputs.hook = settings.hook;
    inputs.settings = settings.path;
    inputs.run_dir = settings.run_dir;
    // The hook ends by its own deadline with a clear line; the runtime's kill is the last resort.
    inputs.hook_timeout =
        std::chrono::ceil<std::chrono::seconds>(settings.deadlines.supervisor_start) +
        std::chrono::seconds(7);
    inputs.native_architecture = kNativeArchitecture;
    return inputs;
}

Result<Json> edit_spec(Json spec, const Plan& plan, const EditInputs& inputs) {
    if (!spec.is_object()) {
        return make_error("/: expected an object");
    }
    if (auto checked = refuse_key_doubles(spec, {"annotations", "hooks", "linux", "process"}, "");
        !checked) {
        return checked.error();
    }
    if (auto checked = check_annotations(spec); !checked) {
        return checked.error();
    }
    Json& linux = spec["linux"];
    if (linux.is_null()) {
        linux = Json::object();
    }
    if (!linux.is_object()) {
        return make_error("/linux: expected an object");
    }
    auto metadata = make_metadata(plan);
    if (!metadata) {
        return metadata.error();
    }
    SeccompEdit edit;
    edit.listener_path = plan.listener_path;
    edit.listener_metadata = std::move(*metadata);
    edit.run_dir = inputs.run_dir;
    edit.forks = plan.track_forks ? ForkCalls::kNotified : ForkCalls::kUntouched;
    edit.native_architecture = inputs.native_architecture;
    if (auto edited = edit_seccomp(linux, edit); !edited) {
        return edited.error();
    }
    if (auto put = put_hooks(spec, inputs); !put) {
        return put.error();
    }
    return spec;
}

Result<> check_edited_spec(const Json& spec, const Plan& plan, const EditInputs& inputs) {
    auto edited = edit_spec(spec, plan, inputs);
    if (!edited) {
        return edited.error();
    }
    // By what it means: another tool may have written the keys again in an order of its own.
    const nlohmann::json found(spec);
    const nlohmann::json wanted(*edited);
    if (found == wanted) {
        return Ok{};
    }
    const nlohmann::json difference = nlohmann::json::diff(found, wanted);
    const std::string where =
        difference.empty() ? std::string("/") : difference[0].value("path", std::string("/"));
    return make_error(where +
                      ": differs from what execseal wrote for this container, expected an " +
                      "unchanged config.json");
}

}  // namespace execseal
