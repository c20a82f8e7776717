// What somebody says on a supervisor's control socket: each line has its answer, whatever it is.
#include <nlohmann/json.hpp>

#include "config/json_document.h"
#include "hook/os/unix_socket.h"
#include "hook/supervisor/control.h"
#include "tests/fuzz/fuzz.h"

namespace execseal::fuzz {
namespace {

class Control {
  public:
    Control() {
        std::string folder = "/tmp/execseal-fuzz-XXXXXX";
        require(::mkdtemp(folder.data()) != nullptr, "a folder");
        path_ = folder + "/control.sock";
        auto server = open_control(loop_, path_, [this](const std::string& command) {
            ++asked_;
            return nlohmann::ordered_json{{"command", command}};
        });
        require(server.has_value(), "the server");
        server_ = std::move(*server);
    }
    void take(std::string_view text) {
        asked_ = 0;
        auto socket = connect_unix(path_, std::chrono::seconds(5));
        require(socket.has_value(), "a connection");
        (void)send_some(socket->get(), text);
        settle();
        require(asked_ <= 1, "a connection has one request");
        const bool is_whole = text.find('\n') != std::string_view::npos;
        if (is_whole && text.size() < 60'000) {
            const auto answer = receive_with_fds(socket->get(), std::size_t{1} << 20U);
            require(answer && answer->bytes.find('\n') + 1 == answer->bytes.size(),
                    "a line is answered with a line");
            require(parse_json(answer->bytes, "answer").has_value(), "of JSON");
        }
        socket->reset();
        settle();
    }

  private:
    void settle() {
        for (;;) {
            const auto ran = loop_.run_once(EventLoop::Clock::now());
            require(ran.has_value(), "the loop");
            if (*ran == 0) {
                return;
            }
        }
    }

    EventLoop loop_;
    std::string path_;
    std::unique_ptr<RequestServer> server_;
    std::size_t asked_ = 0;
};

}  // namespace
}  // namespace execseal::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static execseal::fuzz::Control control;
    control.take(execseal::fuzz::text_of(data, size));
    return 0;
}
