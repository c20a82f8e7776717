// TakenReader: what the kernel has taken for an exec, read in an expendable process.
//
// Takes a task that is stopped at PTRACE_EVENT_EXEC; gives its executable and the bytes of its new
// stack, or of its /proc/PID/cmdline, environ and stat. Nobody shares that memory, but whoever may
// read it (its own user, by /proc/PID/mem) holds its mmap_lock over a page that a FUSE server does
// not send, and with a writer behind it (/proc/PID/clear_refs) every later reader waits; the
// executable's file system may go and look (9p). Past the patience that process is killed, and the
// answer is an Error.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "hook/os/expendable.h"
#include "hook/os/ids.h"
#include "hook/os/path_calls.h"
#include "hook/os/result.h"

namespace execseal {

struct TakenExec {
    FileId executable;
    std::string argv;  // as /proc/PID/cmdline
    std::string env;
    std::string path = {};  // AT_EXECFN
};

// The executable, so many words from the stack pointer on, and so many bytes from where the second
// of them points to; fewer words or bytes where they are not all there. Valid until the reader is
// used again.
struct TakenStack {
    FileId executable;
    std::span<const std::uint64_t> words;
    std::string_view bytes;
};

// Up to its NUL; with "..." behind it where there is none, which no path of an exec has.
std::string c_string(std::string_view bytes);

// Starts its process at the first use, and a new one after each that was killed. One thread.
class TakenReader {
  public:
    explicit TakenReader(std::chrono::milliseconds patience) : patience_(patience) {}

    // Starts the process ahead of the first use.
    Result<> warm_up();
    // What stack() gave is no longer needed. The process ends after a large reply: it may have been
    // started while the supervisor held as much, and would keep a copy of that.
    void drop();
    // An Error with the code ENOENT or ESRCH: the task is gone.
    Result<TakenStack> stack(Tgid stopped, RemoteAddr stack, std::size_t words, std::size_t bytes);
    // The whole of cmdline and environ, which are expected to be of these sizes.
    Result<TakenExec> files(Tgid stopped, std::size_t argv, std::size_t env);

  private:
    struct Job {
        pid_t process = 0;
        bool has_stack = false;
        std::uint64_t stack = 0;
        std::uint64_t first = 0;   // words, or the size of argv
        std::uint64_t second = 0;  // bytes, or the size of the environment
    };
    // The other side, in the expendable process.
    static std::size_t answer(const Job& job, std::span<std::byte> room);
    // The reply of the process, valid until the next call.
    Result<std::span<const std::byte>> ask(const Job& job);
    ReplyState try_ask(const Job& job);

    std::chrono::milliseconds patience_;
    std::optional<Expendable> process_;
};

}  // namespace execseal
