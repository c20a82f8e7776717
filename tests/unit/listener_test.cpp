// The listener against a hostile or clumsy runtime, over real sockets in a temporary directory.

#include "hook/supervisor/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "hook/os/unix_socket.h"
#include "tests/unit/served_socket.h"

namespace execseal {
namespace {

constexpr const char* kMessage =
    R"({"ociVersion":"0.2.0","fds":["seccompFd"],"pid":7,"state":{"id":"web","status":"creating","pid":7,"bundle":"/b"}})";

class ListenerTest : public ServedSocket {
  protected:
    void SetUp() override {
        auto listener = Listener::open(loop_, path(), "web",
                                       [this](const ContainerProcessState& state, UniqueFd fd) {
                                           states_.push_back(state);
                                           fds_.push_back(std::move(fd));
                                       });
        ASSERT_TRUE(listener.has_value()) << listener.error().text();
        listener_ = std::move(*listener);
    }
    static UniqueFd some_fd() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }
    static bool peer_closed(const UniqueFd& socket) {
        char byte = 0;
        return read(socket.get(), &byte, 1) == 0;
    }

    std::unique_ptr<Listener> listener_;
    std::vector<ContainerProcessState> states_;
    std::vector<UniqueFd> fds_;
};

TEST_F(ListenerTest, DeliversStateAndDescriptorAlthoughTheStreamStaysOpen) {
    const auto socket = connect();
    const auto fd = some_fd();
    ASSERT_TRUE(send_with_fds(socket.get(), kMessage, {fd.get()}).has_value());
    settle();
    ASSERT_EQ(states_.size(), 1U);
    EXPECT_EQ(states_[0].state.id, "web");
    EXPECT_TRUE(fds_[0].valid());
    EXPECT_NE(fcntl(fds_[0].get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(listener_->waiting_connections(), 0U);
}

TEST_F(ListenerTest, TakesAMessageInSinglePieces) {
    const auto socket = connect();
    const auto fd = some_fd();
    const std::string text = kMessage;
    for (std::size_t i = 0; i < text.size(); ++i) {
        ASSERT_TRUE(send_with_fds(socket.get(), text.substr(i, 1),
                                  i == 0 ? std::vector<int>{fd.get()} : std::vector<int>{})
                        .has_value());
        settle();
    }
    EXPECT_EQ(states_.size(), 1U);
}

TEST_F(ListenerTest, AnIdleConnectionHoldsNobodyUp) {
    const auto idle = connect();
    settle();
    EXPECT_EQ(listener_->waiting_connections(), 1U);
    EXPECT_FALSE(listener_->next_deadline().has_value());
    const auto socket = connect();
    const auto fd = some_fd();
    ASSERT_TRUE(send_with_fds(socket.get(), kMessage, {fd.get()}).has_value());
    settle();
    EXPECT_EQ(states_.size(), 1U);
}

TEST_F(ListenerTest, AConnectionThatClosesWithNothingIsOrdinary) {
    { const auto socket = connect(); }
    settle();
    EXPECT_EQ(listener_->waiting_connections(), 0U);
    EXPECT_TRUE(states_.empty());
}

TEST_F(ListenerTest, RefusesWhatIsNotExactlyOneDescriptorForThisContainer) {
    struct Row {
        std::string text;
        int fds;
    };
    const std::string other =
        R"({"fds":["seccompFd"],"state":{"id":"other","status":"s","bundle":"/"}})";
    const std::string two =
        R"({"fds":["seccompFd","x"],"state":{"id":"web","status":"s","bundle":"/"}})";
    const std::string unnamed = R"({"fds":["x"],"state":{"id":"web","status":"s","bundle":"/"}})";
    const std::vector<Row> rows{{kMessage, 0},      {kMessage, 2},      {other, 1},
                                {two, 1},           {unnamed, 1},       {"[]", 1},
                                {"hello there", 1}, {R"({"fds":3})", 1}};
    for (const auto& row : rows) {
        const auto socket = connect();
        const auto first = some_fd();
        const auto second = some_fd();
        std::vector<int> fds{first.get(), second.get()};
        fds.resize(static_cast<std::size_t>(row.fds));
        ASSERT_TRUE(send_with_fds(socket.get(), row.text, fds).has_value());
        settle();
        EXPECT_TRUE(states_.empty()) << row.text;
        EXPECT_TRUE(peer_closed(socket)) << row.text;
    }
    // The control: after all that, a good message still gets through.
    const auto socket = connect();
    const auto fd = some_fd();
    ASSERT_TRUE(send_with_fds(socket.get(), kMessage, {fd.get()}).has_value());
    settle();
    EXPECT_EQ(states_.size(), 1U);
}

TEST_F(ListenerTest, DropsAMessageThatGrowsWithoutEnd) {
    const auto socket = connect();
    const std::string junk(1U << 20U, 'x');
    ASSERT_TRUE(send_with_fds(socket.get(), "{\"a\":\"").has_value());
    std::size_t sent = 0;
    while (sent < (5U << 20U)) {
        auto took = send_some(socket.get(), junk);
        if (!took) {
            break;
        }
        sent += *took;
        settle();
        if (listener_->waiting_connections() == 0) {
            break;
        }
    }
    EXPECT_EQ(listener_->waiting_connections(), 0U);
    EXPECT_TRUE(states_.empty());
}

TEST_F(ListenerTest, DropsAMessageThatIsNotFinishedInTime) {
    const auto socket = connect();
    ASSERT_TRUE(send_with_fds(socket.get(), "{").has_value());
    settle();
    ASSERT_TRUE(listener_->next_deadline().has_value());
    listener_->on_deadline(*listener_->next_deadline());
    EXPECT_EQ(listener_->waiting_connections(), 0U);
}

}  // namespace
}  // namespace execseal
