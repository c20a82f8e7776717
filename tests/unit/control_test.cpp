// The control socket: a line in, a line out, whoever asks and however clumsily.
#include "hook/supervisor/control.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>
#include <nlohmann/json.hpp>

#include "hook/launch/control_client.h"
#include "hook/os/unix_socket.h"
#include "tests/unit/served_socket.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

class ControlTest : public ServedSocket {
  protected:
    void SetUp() override {
        auto control = open_control(loop_, path(), [this](const std::string& command) {
            asked_.push_back(command);
            if (command == "big") {
                return ordered_json{{"big", std::string(std::size_t{3} << 20U, 'x')}};
            }
            if (command == "fail") {
                return ordered_json{{"error", "it failed"}};
            }
            return ordered_json{{"command", command}};
        });
        ASSERT_TRUE(control.has_value()) << control.error().text();
        control_ = std::move(*control);
    }
    // ask_supervisor() in another thread, as it is another process in life.
    Result<ordered_json> ask(const std::string& command) {
        auto answer = std::async(std::launch::async, [&] {
            return ask_supervisor(path(), command, std::chrono::seconds(10));
        });
        while (answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
            EXPECT_TRUE(
                loop_.run_once(EventLoop::Clock::now() + std::chrono::milliseconds(5)).has_value());
        }
        return answer.get();
    }
    // All that the supervisor says before it closes.
    std::string answer_on(const UniqueFd& socket) {
        settle();
        std::string text;
        for (;;) {
            auto received = receive_with_fds(socket.get(), 65536);
            if (!received || received->status != ReceiveStatus::kData) {
                return text;
            }
            text += received->bytes;
            settle();
        }
    }
    void send(const UniqueFd& socket, const std::string& text) {
        EXPECT_TRUE(send_with_fds(socket.get(), text).has_value());
    }

    std::unique_ptr<RequestServer> control_;
    std::vector<std::string> asked_;
};

TEST_F(ControlTest, AnswersAQuestionAndCloses) {
    const auto answer = ask("status");
    ASSERT_TRUE(answer.has_value()) << answer.error().text();
    EXPECT_EQ((*answer)["command"], "status");
    EXPECT_EQ(asked_, (std::vector<std::string>{"status"}));
    EXPECT_FALSE(control_->next_deadline().has_value());
}

TEST_F(ControlTest, TheSocketIsItsOwnersAlone) {
    struct stat found {};
    ASSERT_EQ(::stat(path().c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0600U);
}

TEST_F(ControlTest, AnErrorInTheAnswerIsTheClientsError) {
    const auto answer = ask("fail");
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().text(), "it failed");
}

TEST_F(ControlTest, AnAnswerLargerThanTheSocketsBufferArrivesWholeWhileOthersAreServed) {
    const UniqueFd slow = connect();
    send(slow, "{\"command\": \"big\"}\n");
    settle();
    EXPECT_TRUE(control_->next_deadline().has_value());  // it waits for its reader
    EXPECT_TRUE(ask("status").has_value());
    const std::string text = answer_on(slow);
    const auto answer = ordered_json::parse(text, nullptr, false);
    ASSERT_TRUE(answer.is_object());
    EXPECT_EQ(answer["big"].get<std::string>().size(), std::size_t{3} << 20U);
    EXPECT_TRUE(ask("big").has_value());
}

TEST_F(ControlTest, TakesAQuestionInSinglePieces) {
    const UniqueFd socket = connect();
    for (const char c : std::string("{\"command\":\"x\"}\n")) {
        send(socket, std::string(1, c));
        settle();
    }
    EXPECT_EQ(answer_on(socket), "{\"command\":\"x\"}\n");
}

TEST_F(ControlTest, SaysWhatItExpectedToWhateverElseItIsTold) {
    for (const char* line : {"\n", "status\n", "[]\n", "{}\n", "{\"command\": 7}\n",
                             "{\"command\": \n", "\xff\xfe\n", "{\"cmd\": \"status\"}\n"}) {
        const UniqueFd socket = connect();
        send(socket, line);
        EXPECT_EQ(answer_on(socket), "{\"error\":\"expected {\\\"command\\\": NAME}\"}\n") << line;
    }
    EXPECT_TRUE(asked_.empty());
}

TEST_F(ControlTest, AnEndlessQuestionIsCutOff) {
    const UniqueFd socket = connect();
    const std::string chunk(16384, 'a');
    bool cut = false;
    for (int i = 0; i < 64 && !cut; ++i) {
        cut = !send_with_fds(socket.get(), chunk).has_value();
        settle();
    }
    EXPECT_TRUE(cut);
    EXPECT_FALSE(control_->next_deadline().has_value());
}

TEST_F(ControlTest, WhoSaysNothingIsDroppedAtItsDeadline) {
    const UniqueFd socket = connect();
    settle();
    const auto deadline = control_->next_deadline();
    ASSERT_TRUE(deadline.has_value());
    EXPECT_LE(*deadline, EventLoop::Clock::now() + std::chrono::seconds(5));
    control_->on_deadline(*deadline - std::chrono::milliseconds(1));
    EXPECT_TRUE(control_->next_deadline().has_value());
    control_->on_deadline(*deadline);
    EXPECT_FALSE(control_->next_deadline().has_value());
    EXPECT_EQ(answer_on(socket), "");
}

TEST_F(ControlTest, WhoHangsUpBeforeTheAnswerHarmsNobody) {
    {
        const UniqueFd socket = connect();
        send(socket, "{\"command\": \"big\"}\n");
    }
    { const UniqueFd silent = connect(); }
    settle();
    EXPECT_FALSE(control_->next_deadline().has_value());
    EXPECT_TRUE(ask("status").has_value());
}

TEST_F(ControlTest, MoreConnectionsThanItKeepsAreTurnedAway) {
    std::vector<UniqueFd> idle;
    for (int i = 0; i < 40; ++i) {
        idle.push_back(connect());
        settle();
    }
    EXPECT_EQ(answer_on(idle.back()), "");
    idle.clear();
    settle();
    EXPECT_TRUE(ask("status").has_value());
}

TEST_F(ControlTest, TheClientNamesTheSocketThatDoesNotAnswer) {
    const auto none = ask_supervisor(path() + ".none", "x", std::chrono::seconds(1));
    ASSERT_FALSE(none.has_value());
    EXPECT_NE(none.error().text().find(path() + ".none"), std::string::npos) << none.error().text();
    control_.reset();
    EXPECT_FALSE(ask_supervisor(path(), "x", std::chrono::seconds(1)).has_value());
}

}  // namespace
}  // namespace execseal
