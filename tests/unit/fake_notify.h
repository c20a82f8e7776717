// FakeNotify: a seccomp listener whose queue the test fills, and which keeps what it is answered.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "hook/gate/session.h"
#include "hook/os/check.h"
#include "hook/os/seccomp_notify.h"

namespace execseal {

class FakeNotify final : public SeccompNotify {
  public:
    Result<ListenerState> poll(std::chrono::milliseconds /*timeout*/) override {
        return queue.empty() ? ListenerState::kIdle : ListenerState::kReadable;
    }
    Result<std::optional<Notification>> receive() override {
        CHECK(!queue.empty());  // the real one would block
        const std::optional<Notification> first = queue.front();
        queue.pop_front();
        return first;
    }
    Result<NotifyReach> answer(NotifyId id, const Answer& answer) override {
        errors[id.value] = answer.error;
        return NotifyReach::kDone;
    }
    Result<NotifyReach> id_valid(NotifyId /*id*/) override { return NotifyReach::kDone; }

    std::deque<std::optional<Notification>> queue;  // nullopt: its caller has gone
    std::map<std::uint64_t, int> errors;            // by id; 0: continue
};

inline Session session_of(std::unique_ptr<FakeNotify> notify) {
    Session session;
    session.notify = std::move(notify);
    return session;
}

}  // namespace execseal
