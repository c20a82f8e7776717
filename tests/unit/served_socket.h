// ServedSocket: a fixture with an event loop and a folder for the unix socket that it serves; each
// step of a test is a client's act, then settle().
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "hook/os/event_loop.h"
#include "hook/os/unix_socket.h"
#include "tests/unit/folder_test.h"

namespace execseal {

class ServedSocket : public FolderTest {
  protected:
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
};

}  // namespace execseal
