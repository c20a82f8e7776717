#include "hook/supervisor/control.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "hook/os/unix_socket.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

std::string answer_line(const std::string& line, const OnCommand& on_command) {
    const auto question = ordered_json::parse(line, nullptr, false);
    ordered_json answer{{"error", "expected {\"command\": NAME}"}};
    if (question.is_object() && question.contains("command") && question["command"].is_string()) {
        answer = on_command(question["command"].get<std::string>());
    }
    return answer.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<std::unique_ptr<RequestServer>> open_control(EventLoop& loop, const std::string& path,
                                                    OnCommand on_command) {
    auto socket = listen_unix(path);
    if (!socket) {
        return socket.error();
    }
    RequestTerms terms;
    terms.name = "control";
    terms.end = "\n";
    return RequestServer::open(loop, std::move(*socket), std::move(terms),
                               [on_command = std::move(on_command)](const std::string& line) {
                                   return answer_line(line, on_command);
                               });
}

}  // namespace execseal
