#include "tests/e2e/node_agent.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <chrono>
#include <cstring>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "hook/launch/control_client.h"
#include "hook/os/event_loop.h"
#include "hook/os/unix_socket.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kAnswerWithin{10};

UniqueFd datagram_socket(const fs::path& path) {
    UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = path;
    std::memcpy(&address.sun_path[0], name.data(), name.size());
    if (!fd.valid() ||
        bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error("bind " + name);
    }
    return fd;
}

}  // namespace

ServiceManagerDouble::ServiceManagerDouble(const Scratch& scratch, const Node& node)
    : notify_path_(scratch.path() / "notify.sock"), notify_(datagram_socket(notify_path_)) {
    fs::create_directories(node.run_dir());
    auto socket = listen_unix(node.run_dir() / "agent.sock");
    if (!socket) {
        throw std::runtime_error(socket.error().text());
    }
    socket_ = std::move(*socket);
}

Command ServiceManagerDouble::service(Command command) const {
    std::string names = "execseal-agent.socket";
    command.fds = {socket_.get()};
    for (const auto& [name, fd] : stored_) {
        names += ":" + name;
        command.fds.push_back(fd.get());
    }
    command.env.insert(command.env.end(), {{"NOTIFY_SOCKET", notify_path_},
                                           {"LISTEN_FDS", std::to_string(command.fds.size())},
                                           {"LISTEN_FDNAMES", names},
                                           {"WATCHDOG_USEC", "1000000"}});
    // LISTEN_PID is the service's own, which only it knows.
    command.argv.insert(command.argv.begin(),
                        {"sh", "-c", "LISTEN_PID=$$ WATCHDOG_PID=$$ exec \"$@\"", "sh"});
    return command;
}

void ServiceManagerDouble::receive() {
    for (;;) {
        auto received = receive_with_fds(notify_.get(), 4096);
        if (!received || received->status != ReceiveStatus::kData) {
            break;
        }
        std::string name;
        bool remove = false;
        for (const std::string& line : lines_of(received->bytes)) {
            ++said_[line];
            remove = remove || line == "FDSTOREREMOVE=1";
            if (line.starts_with("FDNAME=")) {
                name = line.substr(std::strlen("FDNAME="));
            }
        }
        if (remove) {
            std::erase_if(stored_, [&](const auto& entry) { return entry.first == name; });
        }
        for (UniqueFd& fd : received->fds) {
            stored_.emplace_back(name, std::move(fd));
        }
    }
    std::erase_if(stored_, [](const auto& entry) { return has_hung_up(entry.second.get()); });
}

int ServiceManagerDouble::said(const std::string& assignment) const {
    const auto found = said_.find(assignment);
    return found == said_.end() ? 0 : found->second;
}

NodeAgent::NodeAgent(const Scratch& scratch, Node& node, ServiceManagerDouble* manager)
    : scratch_(scratch.path()), node_(node), metrics_socket_(scratch.path() / "metrics.sock") {
    if (!node.settings().contains("agent")) {
        node.settings()["agent"]["metrics"] = metrics_socket_;
        node.write();
    }
    fs::remove(metrics_socket_);
    Command command{.argv = {node.hook(), "agent"},
                    .env = {{"EXECSEAL_CONFIG", node.settings_path()}}};
    if (manager != nullptr) {
        command = manager->service(command);
    }
    agent_ = std::make_unique<Running>(command, scratch_);
    // The last thing it opens.
    const auto listens = [&] { return connect_unix(metrics_socket_, kAnswerWithin).has_value(); };
    if (!eventually(listens)) {
        throw std::runtime_error("execseal-hook agent did not start: " + agent_->err() +
                                 read_file(node.log_path()));
    }
}

std::string NodeAgent::scrape() const {
    const auto socket = connect_unix(metrics_socket_, kAnswerWithin);
    if (!socket) {
        throw std::runtime_error(socket.error().text());
    }
    if (auto sent = send_with_fds(socket->get(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        !sent) {
        throw std::runtime_error(sent.error().text());
    }
    std::string text;
    for (;;) {
        const auto received = receive_with_fds(socket->get(), 65536);
        if (!received || received->status != ReceiveStatus::kData) {
            return text;
        }
        text += received->bytes;
    }
}

std::string NodeAgent::sample(const std::string& name_and_labels) const {
    for (const std::string& line : lines_of(scrape())) {
        if (line.starts_with(name_and_labels + " ")) {
            return line.substr(name_and_labels.size() + 1);
        }
    }
    return "";
}

fs::path NodeAgent::profile(const std::vector<std::string>& arguments) const {
    Command command{.argv = {node_.hook(), "profile"},
                    .env = {{"EXECSEAL_CONFIG", node_.settings_path()}}};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    const Outcome made = run(command, scratch_);
    if (made.exit_code != 0) {
        throw std::runtime_error("execseal-hook profile: " + made.text());
    }
    fs::path file = scratch_ / ("profile-" + arguments.at(0) + ".json");
    write_file(file, made.out);
    return file;
}

std::vector<pid_t> supervisors_of(const Node& node) {
    std::vector<pid_t> pids;
    for (const auto& entry : fs::directory_iterator(node.run_dir())) {
        const auto status = ask_supervisor(control_path_of(entry.path()), "status", kAnswerWithin);
        if (status) {
            pids.push_back(status->value("supervisor_pid", 0));
        }
    }
    return pids;
}

std::vector<pid_t> children_of(pid_t process) {
    const std::string task = std::to_string(process);
    std::istringstream numbers(read_file("/proc/" + task + "/task/" + task + "/children"));
    return {std::istream_iterator<pid_t>(numbers), std::istream_iterator<pid_t>()};
}

}  // namespace execseal::e2e
