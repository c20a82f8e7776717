// ForkedContainer: a forked child as the first process of its own PID namespace, with a real
// seccomp filter whose listener the test holds.
//
// Everything that it starts ends with it, so a failing test leaves nothing behind.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>

#include "hook/os/ids.h"
#include "hook/os/seccomp_notify.h"

namespace execseal::test {

enum class NotifiedCalls { kNone, kForks, kForksAndExecs };
enum class PidNamespace { kOwn, kShared };

// Talks to the test from inside; async-signal-safe.
class Inside {
  public:
    explicit Inside(int socket) : socket_(socket) {}
    void say(char word) const;
    // Blocks; ends the process when the test is gone.
    [[nodiscard]] char hear() const;
    // For tests that end themselves a process too many.
    [[nodiscard]] int socket() const { return socket_; }

  private:
    int socket_;
};

class ForkedContainer {
  public:
    using Body = std::function<int(const Inside&)>;

    // `body` runs after the filter is in place and the test has its listener; its result is the
    // exit code.
    explicit ForkedContainer(NotifiedCalls calls, const Body& body,
                             PidNamespace pids = PidNamespace::kOwn);
    ForkedContainer(const ForkedContainer&) = delete;
    ForkedContainer& operator=(const ForkedContainer&) = delete;
    ForkedContainer(ForkedContainer&&) = delete;
    ForkedContainer& operator=(ForkedContainer&&) = delete;
    ~ForkedContainer();

    [[nodiscard]] Tid init() const { return Tid{pid_}; }
    [[nodiscard]] SeccompListener& listener() { return *listener_; }

    void say(char word) const;
    // The next word, or '\0' after ten seconds or the end of the container.
    [[nodiscard]] char hear() const;
    // True if a word is waiting.
    [[nodiscard]] bool has_word() const;
    // Waits for the end of the first process: its exit code, or 128 + signal.
    int wait_end();

  private:
    pid_t pid_ = -1;
    int socket_ = -1;
    std::unique_ptr<SeccompListener> listener_;
};

// A page that the test and all its descendants share.
template <class T>
T& shared_page();

void* map_shared(std::size_t size);

template <class T>
T& shared_page() {
    static_assert(std::is_trivially_destructible_v<T>);
    return *new (map_shared(sizeof(T))) T();
}

// True once the condition holds; false after ten seconds. Polls, for what gives no event.
bool eventually(const std::function<bool()>& condition);

// The letter of /proc/TID/stat, 0 when there is no such task.
char state_of(pid_t tid);
pid_t tracer_of(pid_t tid);

}  // namespace execseal::test
