#include "hook/cli/run.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>

#include "config/policy.h"
#include "config/settings.h"
#include "hook/cli/policy_check.h"
#include "hook/cli/policy_explain.h"
#include "hook/cli/policy_learn.h"
#include "hook/cli/run_bundle.h"
#include "hook/os/directory_watch.h"
#include "hook/os/executable.h"
#include "hook/os/file_read.h"
#include "hook/os/file_replace.h"
#include "hook/os/foreground_run.h"

namespace execseal {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::size_t kLargestSettings = std::size_t{1} << 20U;

// A folder that only its owner may look into, gone with this.
class WorkFolder {
  public:
    static Result<WorkFolder> make() {
        std::random_device random;
        std::error_code code;
        const fs::path parent = fs::temp_directory_path(code);
        if (code) {
            return Error{code.value(), "the folder of temporary files (TMPDIR)"};
        }
        char id[32];
        (void)std::snprintf(id, sizeof id, "execseal-run-%08x%08x", random(), random());
        WorkFolder folder(parent / id, id);
        if (!fs::create_directory(folder.path_, code) || code) {
            folder.path_.clear();
            return make_error((parent / id).string() + ": cannot be made: " + code.message());
        }
        fs::permissions(folder.path_, fs::perms::owner_all, code);
        return code ? Result<WorkFolder>(Error{code.value(), folder.path_.string()})
                    : Result<WorkFolder>(std::move(folder));
    }
    WorkFolder(const WorkFolder&) = delete;
    WorkFolder& operator=(const WorkFolder&) = delete;
    WorkFolder(WorkFolder&& other) noexcept
        : path_(std::exchange(other.path_, {})), id_(std::move(other.id_)) {}
    WorkFolder& operator=(WorkFolder&&) = delete;
    ~WorkFolder() {
        std::error_code code;
        if (!path_.empty() && fs::remove_all(path_, code) == static_cast<std::uintmax_t>(-1)) {
            (void)std::fprintf(stderr, "execseal: %s: cannot be removed: %s\n", path_.c_str(),
                               code.message().c_str());
        }
    }

    [[nodiscard]] std::string at(const std::string& name) const { return path_ / name; }
    [[nodiscard]] const std::string& id() const { return id_; }

  private:
    WorkFolder(fs::path path, std::string id) : path_(std::move(path)), id_(std::move(id)) {}

    fs::path path_;
    std::string id_;
};

// The node's settings, but that the one who runs the command may choose any
// policy; a recording has a file of its own and is complete.
Result<std::string> own_settings(const RunCommand& command, const Settings& settings,
                                 const WorkFolder& work) {
    std::error_code code;
    ordered_json json = ordered_json::object();
    if (fs::exists(settings.path, code)) {
        const auto text = read_file(settings.path, kLargestSettings);
        if (!text) {
            return text.error();
        }
        json = ordered_json::parse(*text, nullptr, false);
        if (!json.is_object()) {
            return make_error(settings.path + ": expected a JSON object");
        }
    }
    json["allowed_policies"] = {"*", "/**"};
    if (command.learn) {
        json["allow_mode_annotation"] = true;
        json["audit"] = {{"file", work.at("audit.jsonl")}, {"events_per_second", 0}};
    }
    return json.dump(4);
}

// The command may write to the working folder, where the file often is, and a policy that changes
// is loaded again.
Result<std::string> own_copy(const fs::path& policy, const WorkFolder& work) {
    const auto text = read_file(policy, kPolicyBytes);
    if (!text) {
        return text.error();
    }
    std::error_code code;
    if (!fs::create_directory(work.at("policy"), code)) {
        return Error{code.value(), work.at("policy")};
    }
    // The file's name is the policy's, too.
    const std::string copy = work.at("policy/" + policy.filename().string());
    auto written = create_file(copy, *text);
    return written ? Result<std::string>(copy) : written.error();
}

Result<std::string> policy_of(const RunCommand& command, const Settings& settings,
                              const WorkFolder& work) {
    if (command.learn) {
        const std::string path = work.at("learn.json");
        auto written = create_file(
            path,
            R"({"apiVersion": "execseal/v1", "name": "learn", "default": "allow", "rules": []})");
        return written ? Result<std::string>(path) : written.error();
    }
    const std::string choice =
        command.policy.empty() ? settings.default_policy.value_or("") : command.policy;
    if (choice.empty()) {
        return make_error("expected --policy or --learn: the settings have no default_policy");
    }
    const auto path = real_path(policy_path(choice, settings));
    if (!path) {
        return add_context("--policy " + choice, path.error());
    }
    // As a start would say it, but before anything is made.
    if (const auto policy = load_policy(*path, settings); !policy) {
        return policy.error();
    }
    return own_copy(*path, work);
}

// Beside this program, where a package puts it, or on PATH.
Result<std::string> shim() {
    std::error_code code;
    const fs::path self = fs::read_symlink("/proc/self/exe", code);
    std::string places = self.parent_path().string() + ":" + program_path();
    for (std::size_t start = 0; start <= places.size();) {
        const std::size_t end = std::min(places.find(':', start), places.size());
        const std::string path = places.substr(start, end - start) + "/execseal-runtime";
        if (path.starts_with('/') && is_executable(path)) {
            return path;
        }
        start = end + 1;
    }
    return make_error("execseal-runtime is neither beside this program nor on PATH");
}

Result<std::string> make_bundle(const RunCommand& command, const std::string& policy,
                                const WorkFolder& work) {
    std::error_code code;
    RunBundle bundle;
    bundle.folder = work.at("");
    bundle.binds = command.binds;
    bundle.environment = command.environment;
    bundle.command = command.command;
    bundle.policy = policy;
    bundle.mode = command.learn ? "learn" : "";
    bundle.net = command.net;
    bundle.terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
    if (command.rootfs.empty()) {
        bundle.working_folder = fs::current_path(code);
        if (code) {
            return Error{code.value(), "the working folder"};
        }
    } else {
        const auto root = real_path(command.rootfs);
        if (!root) {
            return add_context("--rootfs " + command.rootfs, root.error());
        }
        if (!fs::is_directory(*root, code)) {
            return make_error("--rootfs " + command.rootfs + ": expected a folder");
        }
        bundle.rootfs = *root;
    }
    const auto spec = run_spec(bundle);
    if (!spec) {
        return spec.error();
    }
    // Arguments are bytes, config.json is text.
    std::string text;
    try {
        text = spec->dump(4);
    } catch (const nlohmann::json::type_error&) {
        return make_error("the command, or a path: expected UTF-8, config.json is JSON");
    }
    auto written = create_file(work.at("config.json"), text);
    return written ? Result<std::string>(work.at("")) : written.error();
}

bool has_ended(const std::string& audit) {
    static constexpr std::size_t kTail = std::size_t{1} << 30U;
    const auto text = read_file(audit, kTail);
    return !text || text->find(R"("event":"start")") == std::string::npos ||
           text->find(R"("event":"end")") != std::string::npos;
}

// The supervisor writes its last event when the container is gone.
Result<> wait_for_end(const WorkFolder& work) {
    static constexpr std::chrono::seconds kLongest{10};
    auto watch = DirectoryWatch::open(work.at(""));
    if (!watch) {
        return watch.error();
    }
    const auto deadline = std::chrono::steady_clock::now() + kLongest;
    while (!has_ended(work.at("audit.jsonl"))) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd ready{watch->fd(), POLLIN, 0};
        if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) {
            return make_error("the supervisor did not end: the recording may not be whole");
        }
        (void)watch->drain();
    }
    return Ok{};
}

Result<int> learn_from(const WorkFolder& work) {
    if (auto ended = wait_for_end(work); !ended) {
        return ended.error();
    }
    LearnCommand learn;
    learn.query.settings = work.at("settings.json");
    learn.query.files = {work.at("audit.jsonl")};
    return run_policy_learn(learn);
}

}  // namespace

Result<int> run_command(const RunCommand& command) {
    const auto settings = load_settings(command.settings);
    if (!settings) {
        return settings.error();
    }
    const auto runtime = shim();
    if (!runtime) {
        return runtime.error();
    }
    const auto work = WorkFolder::make();
    if (!work) {
        return work.error();
    }
    const auto policy = policy_of(command, *settings, *work);
    if (!policy) {
        return policy.error();
    }
    const auto text = own_settings(command, *settings, *work);
    if (!text) {
        return text.error();
    }
    if (auto written = create_file(work->at("settings.json"), *text); !written) {
        return written.error();
    }
    const auto bundle = make_bundle(command, *policy, *work);
    if (!bundle) {
        return bundle.error();
    }
    const auto code = run_in_foreground({*runtime, "run", "--bundle", *bundle, work->id()},
                                        {"EXECSEAL_CONFIG=" + work->at("settings.json")});
    if (!code || !command.learn) {
        return code;
    }
    const auto learnt = learn_from(*work);
    if (!learnt) {
        return learnt.error();
    }
    return *code == 0 ? *learnt : *code;
}

}  // namespace execseal
