#include "hook/agent/profile.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "config/json_reader.h"
#include "config/plan.h"
#include "config/spec/seccomp_edit.h"
#include "hook/os/privileges.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

// containers/common's, as podman uses it for containers that ask for nothing.
constexpr const char* kEnginesProfile = "/usr/share/containers/seccomp.json";

struct Words {
    std::string policy;
    std::optional<std::string> base;
    bool unconfined = false;
    std::set<std::string> capabilities = default_capabilities();
};

Result<Words> read_words(const std::vector<std::string>& arguments) {
    Words words;
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        const std::string& word = arguments[at];
        const bool has_value = at + 1 < arguments.size();
        if (word == "--unconfined") {
            words.unconfined = true;
        } else if (word == "--base" && has_value) {
            words.base = arguments[++at];
        } else if (word == "--cap" && has_value) {
            const std::string& name = arguments[++at];
            if (!is_capability(name)) {
                return make_error("--cap " + name + ": expected a capability, as CAP_NET_RAW");
            }
            words.capabilities.insert(name);
        } else if (!word.starts_with('-') && words.policy.empty()) {
            words.policy = word;
        } else {
            return make_error(word + ": expected POLICY, --base FILE, --unconfined or --cap NAME");
        }
    }
    if (words.policy.empty()) {
        return make_error("expected a policy's name");
    }
    if (words.base && words.unconfined) {
        return make_error("--unconfined: expected no --base beside it");
    }
    return words;
}

Result<std::string> profile_text(const Words& words) {
    const auto settings = load_settings(settings_path());
    if (!settings) {
        return settings.error();
    }
    // The agent will ask the same when a container comes; better said now.
    const auto plan = plan_profile({"profile", words.policy, "", {}}, *settings);
    if (!plan) {
        return plan.error();
    }
    Json base;
    const std::string base_file = words.base.value_or(kEnginesProfile);
    if (!words.unconfined) {
        auto read = load_json(base_file);
        if (!read) {
            return add_context("base profile (--base FILE, or --unconfined for none)",
                               read.error());
        }
        base = std::move(*read);
    }
    const auto profile =
        make_profile(base, words.policy, *settings, target_here(words.capabilities));
    if (!profile) {
        return add_context(words.unconfined ? "profile" : base_file, profile.error());
    }
    return profile->dump(2) + "\n";
}

}  // namespace

Result<Json> make_profile(const Json& base, const std::string& policy, const Settings& settings,
                          const ProfileTarget& target) {
    Json linux = Json::object();
    if (!base.is_null()) {
        auto resolved = resolve_profile(base, target);
        if (!resolved) {
            return resolved.error();
        }
        linux["seccomp"] = std::move(*resolved);
    }
    SeccompEdit edit;
    edit.listener_path = settings.agent.socket;
    edit.listener_metadata = policy;
    edit.run_dir = settings.run_dir;
    edit.forks = ForkCalls::kNotified;
    edit.native_architecture = target.native_architecture;
    if (auto edited = edit_seccomp(linux, edit); !edited) {
        return edited.error();
    }
    return std::move(linux["seccomp"]);
}

int run_profile(const std::vector<std::string>& arguments) {
    const auto words = read_words(arguments);
    if (!words) {
        (void)std::fprintf(stderr, "execseal-hook profile: %s (see: execseal-hook --help)\n",
                           words.error().text().c_str());
        return 2;
    }
    const auto text = profile_text(*words);
    if (!text) {
        (void)std::fprintf(stderr, "execseal-hook profile: %s\n", text.error().text().c_str());
        return 1;
    }
    if (std::fputs(text->c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
        (void)std::fputs("execseal-hook profile: writing to stdout failed\n", stderr);
        return 1;
    }
    return 0;
}

}  // namespace execseal
