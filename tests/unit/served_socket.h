// ServedSocket: a fixture with an event loop and a folder for the unix socket that it serves; each
// step of a test is a client's act, then settle().
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "hook/os/event_loop.h"
#include "hook/os/unix_socket.h"

namespace execseal {

class ServedSocket : public testing::Test {
  protected:
    ServedSocket() {
        char pattern[] = "/tmp/execseal-socket-XXXXXX";
        if (mkdtemp(&pattern[0]) != nullptr) {
            directory_ = &pattern[0];
        }
    }
    ~ServedSocket() override { std::filesystem::remove_all(directory_); }

    [[nodiscard]] std::string path() const { return directory_ + "/served.sock"; }
    [[nodiscard]] UniqueFd connect() const {
        auto socket = connect_unix(path(), std::chrono::seconds(5));
        EXPECT_TRUE(socket.has_value());
        return socket ? std::move(*socket) : UniqueFd();
    }
    // Runs the loop until nothing is ready any more.
    void settle() {
        for (;;) {
            auto ran = loop_.run_once(EventLoop::Clock::now());
            ASSERT_TRUE(ran.has_value());
            if (*ran == 0) {
                return;
            }
        }
    }

    EventLoop loop_;

  private:
    std::string directory_;
};

}  // namespace execseal
