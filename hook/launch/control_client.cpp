#include "hook/launch/control_client.h"

#include <nlohmann/json.hpp>

#include "hook/os/state_dir.h"
#include "hook/os/unix_socket.h"

namespace execseal {
namespace {

constexpr std::size_t kAnswerLimit = 64U
                                     << 20U;  // `tasks` of a container with many thousand of them
constexpr std::size_t kChunk = 65536;

}  // namespace

std::string control_path_of(const std::string& directory) {
    return directory + std::string(kControlFile);
}

Result<nlohmann::ordered_json> ask_supervisor(const std::string& control_path,
                                              const std::string& command,
                                              std::chrono::milliseconds deadline) {
    auto socket = connect_unix(control_path, deadline);
    if (!socket) {
        return socket.error();
    }
    const nlohmann::ordered_json question{{"command", command}};
    if (auto sent = send_with_fds(socket->get(), question.dump() + "\n"); !sent) {
        return add_context(control_path, sent.error());
    }
    std::string text;
    while (text.find('\n') == std::string::npos) {
        auto received = receive_with_fds(socket->get(), kChunk);
        if (!received) {
            return add_context(control_path, received.error());
        }
        if (received->status != ReceiveStatus::kData) {
            return make_error(
                std::string(control_path).append(": no answer to \"").append(command) + "\"");
        }
        text += received->bytes;
        if (text.size() > kAnswerLimit) {
            return make_error(control_path + ": an answer of more than " +
                              std::to_string(kAnswerLimit) + " bytes");
        }
    }
    auto answer = nlohmann::ordered_json::parse(text, nullptr, false);
    if (!answer.is_object()) {
        return make_error(control_path + ": expected a JSON object as the answer to \"" + command +
                          "\"");
    }
    if (const auto error = answer.find("error"); error != answer.end()) {
        return make_error(error->is_string() ? error->get<std::string>() : error->dump());
    }
    return answer;
}

}  // namespace execseal
