#include "tests/e2e/agents.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "config/json_reader.h"
#include "hook/launch/control_client.h"

namespace execseal::e2e {
namespace {

Command agent_command(FloorAgent::Kind kind, const std::filesystem::path& socket) {
    Command command{.argv = {target_program("floor_agent"), socket}};
    const auto add_gate = [&](const std::string& last_step) {
        command.argv.insert(command.argv.end(), {"--sync-wakeup", "--gate=" + last_step});
    };
    switch (kind) {
        case FloorAgent::Kind::kContinue:
            break;
        case FloorAgent::Kind::kContinueSync:
            command.argv.emplace_back("--sync-wakeup");
            break;
        case FloorAgent::Kind::kGateForks:
            add_gate("forks");
            break;
        case FloorAgent::Kind::kGateExecs:
            add_gate("execs");
            break;
        case FloorAgent::Kind::kGateVerify:
            add_gate("verify");
            break;
        case FloorAgent::Kind::kGateFreeze:
            add_gate("freeze");
            break;
        case FloorAgent::Kind::kNaive:
            command.argv.emplace_back("--judge");
            break;
    }
    return command;
}

}  // namespace

FloorAgent::FloorAgent(Kind kind, const Scratch& scratch)
    : socket_(scratch.path() / "floor.sock"), agent_(agent_command(kind, socket_), scratch.path()) {
    if (!eventually([&] { return agent_.out() == "READY\n"; })) {
        throw std::runtime_error("floor_agent did not start: " + agent_.err());
    }
}

Node::Node(const Scratch& scratch, Engine engine)
    : scratch_(scratch.path()),
      settings_path_(scratch_ / "execseal.json"),
      shim_(EXECSEAL_RUNTIME),
      engine_(engine) {
    std::filesystem::create_directories(scratch_ / "policies.d");
    settings_ = {{"runtimes", nlohmann::ordered_json::array({engine_name(engine)})},
                 {"hook", EXECSEAL_HOOK},
                 {"run_dir", run_dir()},
                 {"policies_dir", scratch_ / "policies.d"},
                 {"audit", {{"file", scratch_ / "audit.jsonl"}}},
                 {"log", {{"level", "debug"}, {"file", log_path()}}}};
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it
    if (const char* how = std::getenv("EXECSEAL_TEST_BINDING")) {
        binding(how);
    }
    write();
}

Node& Node::policy(const std::string& name, const nlohmann::ordered_json& policy) {
    write_file(scratch_ / "policies.d" / (name + ".json"), policy.dump(2));
    return *this;
}

bool can_bind_in_kernel() {
    return std::filesystem::exists(EXECSEAL_BINDING);
}

Node& Node::binding(const std::string& how) {
    static constexpr const char* kBpffs = "/sys/fs/bpf";
    struct statfs status {};
    if (::statfs(kBpffs, &status) == 0 && status.f_type != BPF_FS_MAGIC &&
        ::mount("bpf", kBpffs, "bpf", 0, "mode=0700") != 0) {
        throw std::system_error(errno, std::generic_category(), "mounting a bpffs");
    }
    settings_["binding"] = how;
    return *this;
}

void Node::write() const {
    write_file(settings_path_, settings_.dump(2));
}

void Node::hand_over(uid_t owner) {
    const std::filesystem::path hook = scratch_ / "execseal-hook";
    shim_ = scratch_ / "shim";
    std::filesystem::copy_file(EXECSEAL_HOOK, hook);
    std::filesystem::copy_file(EXECSEAL_RUNTIME, shim_);
    settings_["hook"] = hook;
    write();
    (void)runtime_script();
    const std::string id = std::to_string(owner);
    const Outcome given = run(
        {.argv = {"chown", "--recursive", "--no-dereference", id + ":" + id, scratch_}}, scratch_);
    if (given.exit_code != 0) {
        throw std::runtime_error("chown: " + given.text());
    }
}

Runtime Node::runtime() const {
    return {.engine = engine_, .program = shim_, .env = {{"EXECSEAL_CONFIG", settings_path_}}};
}

std::filesystem::path Node::runtime_script() const {
    std::filesystem::path script = scratch_ / "execseal-runtime";
    write_file(script, "#!/bin/sh\nEXECSEAL_CONFIG=" + settings_path_.string() + " exec " +
                           runtime().program + " \"$@\"\n");
    std::filesystem::permissions(script, std::filesystem::perms(0755));
    return script;
}

std::vector<nlohmann::json> Node::events_of(const std::string& exe, std::size_t at_least) const {
    std::vector<nlohmann::json> found;
    (void)eventually([&] {
        found = events();
        std::erase_if(found, [&](const nlohmann::json& event) {
            return event.value("exe", nlohmann::json()) != nlohmann::json(exe);
        });
        return found.size() >= at_least;
    });
    return found;
}

nlohmann::ordered_json Node::ask_supervisor(const std::string& command) const {
    for (const auto& entry : std::filesystem::directory_iterator(run_dir())) {
        auto answer = execseal::ask_supervisor(control_path_of(entry.path()), command,
                                               std::chrono::seconds(10));
        if (!answer) {
            throw std::runtime_error(answer.error().text());
        }
        return *answer;
    }
    return nlohmann::ordered_json::object();
}

bool Node::nothing_left() const {
    return eventually([&] {
        return !std::filesystem::exists(run_dir()) || std::filesystem::is_empty(run_dir());
    });
}

std::vector<nlohmann::json> Node::events() const {
    std::vector<nlohmann::json> events;
    std::istringstream lines(read_file(scratch_ / "audit.jsonl"));
    // A line without its end is being written.
    for (std::string line; std::getline(lines, line) && !lines.eof();) {
        if (line.empty()) {
            continue;  // two writers have ended a torn line
        }
        // Strict readers take no key twice, nlohmann's own does.
        const auto event = parse_json(line, "audit.jsonl");
        if (!event) {
            throw std::runtime_error(event.error().text() + ": " + line);
        }
        events.push_back(*event);
    }
    return events;
}

}  // namespace execseal::e2e
