#include "hook/gate/taken_reader.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "hook/exec/arguments.h"
#include "hook/exec/flat_message.h"
#include "hook/os/remote_memory.h"

namespace execseal {
namespace {

using Clock = std::chrono::steady_clock;

// What a task may have taken at most; more than that is not what was judged, whatever it is.
constexpr std::size_t kMaxTaken = 2 * kMaxArgTotal;
constexpr std::size_t kMaxStat = std::size_t{1} << 16;
// Address space only; pages come as they are written.
constexpr std::size_t kRoom = 2 * kMaxTaken + 4 * std::size_t{PATH_MAX};
constexpr int kMaxLooks = 16;

// Reads into `out`, resized to what was there.
template <class Buffer>
void read_memory(ProcessMemory& memory, RemoteAddr from, Buffer& out) {
    const ReadResult read = memory.read(from, std::as_writable_bytes(std::span(out)));
    out.resize(read.bytes / sizeof out[0]);
}

void put_stack(FlatWriter& out, pid_t process, RemoteAddr stack, std::size_t words,
               std::size_t bytes) {
    ProcessMemory memory(Tid{process});
    std::uint64_t first = 0;
    const std::size_t size = std::min(words * sizeof(std::uint64_t), kMaxTaken);
    const std::size_t got = out.string_by(size, [&](std::span<std::byte> room) {
        const std::size_t whole = memory.read(stack, room).bytes / sizeof first * sizeof first;
        if (whole >= 2 * sizeof first) {
            std::memcpy(&first, room.data() + sizeof first, sizeof first);
        }
        return whole;
    });
    const bool all = got == words * sizeof first && words > 1;
    out.string_by(all ? std::min(bytes, kMaxTaken) : 0, [&](std::span<std::byte> room) {
        return memory.read(RemoteAddr{first}, room).bytes;
    });
}

// The words of a string of the reply, which begins with numbers and so lies where they may lie.
std::optional<std::span<const std::uint64_t>> words_of(std::string_view bytes) {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(std::uint64_t) != 0) {
        return std::nullopt;
    }
    return std::span(reinterpret_cast<const std::uint64_t*>(bytes.data()),
                     bytes.size() / sizeof(std::uint64_t));
}

// Of the text of /proc/PID/stat, field 51: the path's string follows the environment's. The name in
// field 2 may hold anything, so from the last parenthesis.
std::optional<RemoteAddr> environment_end(std::string_view stat) {
    constexpr int kEnvEnd = 51;
    std::size_t at = stat.rfind(')');
    for (int field = 2; field < kEnvEnd && at != std::string_view::npos; ++field) {
        at = stat.find(' ', at + 1);
    }
    std::uint64_t value = 0;
    if (at == std::string_view::npos ||
        std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), value).ec != std::errc{} ||
        value == 0) {
        return std::nullopt;
    }
    return RemoteAddr{value};
}

Result<> put_path(FlatWriter& out, pid_t process) {
    const std::string file = "/proc/" + std::to_string(process) + "/stat";
    const auto text = read_text_at(AT_FDCWD, file, kMaxStat);
    if (!text) {
        return text.error();
    }
    const auto end = environment_end(*text);
    if (!end) {
        return make_error(file + ": expected env_end");
    }
    std::string bytes(PATH_MAX, '\0');
    ProcessMemory memory(Tid{process});
    read_memory(memory, *end, bytes);
    out.string(c_string(bytes));
    return Ok{};
}

Result<> put_files(FlatWriter& out, pid_t process, std::size_t argv, std::size_t env) {
    const std::string proc = "/proc/" + std::to_string(process);
    std::string text;
    if (auto read = read_text_into(proc + "/cmdline", argv, kMaxTaken, text); !read) {
        return read;
    }
    out.string(text);
    if (auto read = read_text_into(proc + "/environ", env, kMaxTaken, text); !read) {
        return read;
    }
    out.string(text);
    return put_path(out, process);
}

// A reply begins with an error's code and context: 0 and nothing where there is none.
std::size_t put_error(std::span<std::byte> room, const Error& error) {
    FlatWriter out(room);
    out.number(static_cast<std::uint64_t>(error.code));
    out.string(error.context);
    return out.size();
}

Result<FileId> get_executable(FlatReader& in) {
    const auto code = static_cast<int>(in.number());
    std::string context = in.string();
    if (code != 0 || !context.empty()) {
        return Error{code, std::move(context)};
    }
    FileId executable;
    executable.device = in.number();
    executable.inode = in.number();
    return executable;
}

Error torn() {
    return make_error("the reader process gave no whole answer");
}

}  // namespace

std::string c_string(std::string_view bytes) {
    const std::size_t end = bytes.find('\0');
    return end == std::string_view::npos ? std::string(bytes) + "..."
                                         : std::string(bytes.substr(0, end));
}

std::size_t TakenReader::answer(const Job& job, std::span<std::byte> room) {
    const auto executable = executable_of(Tgid{job.process});
    if (!executable) {
        return put_error(room, executable.error());
    }
    FlatWriter out(room);
    out.number(0);
    out.string("");
    out.number(executable->device);
    out.number(executable->inode);
    if (job.has_stack) {
        put_stack(out, job.process, RemoteAddr{job.stack}, job.first, job.second);
    } else if (const auto put = put_files(out, job.process, job.first, job.second); !put) {
        return put_error(room, put.error());
    }
    return out.fits() ? out.size() : 0;
}

Result<TakenStack> TakenReader::stack(Tgid stopped, RemoteAddr stack, std::size_t words,
                                      std::size_t bytes) {
    const auto reply = ask({stopped.value, true, stack.value, words, bytes});
    if (!reply) {
        return reply.error();
    }
    FlatReader in(*reply);
    const auto executable = get_executable(in);
    if (!executable) {
        return executable.error();
    }
    const auto list = words_of(in.view());
    const std::string_view strings = in.view();
    return list && in.done() ? Result<TakenStack>(TakenStack{*executable, *list, strings}) : torn();
}

Result<TakenExec> TakenReader::files(Tgid stopped, std::size_t argv, std::size_t env) {
    const auto reply = ask({stopped.value, false, 0, argv, env});
    if (!reply) {
        return reply.error();
    }
    FlatReader in(*reply);
    const auto executable = get_executable(in);
    if (!executable) {
        return executable.error();
    }
    TakenExec taken{*executable, in.string(), in.string(), in.string()};
    const bool whole = in.done();
    drop();  // everything is copied
    return whole ? Result<TakenExec>(std::move(taken)) : torn();
}

void TakenReader::drop() {
    constexpr std::size_t kLarge = std::size_t{1} << 18U;
    if (process_ && process_->reply().size() > kLarge) {
        process_.reset();
    }
}

Result<std::span<const std::byte>> TakenReader::ask(const Job& job) {
    ReplyState state = try_ask(job);
    if (state == ReplyState::kLost) {
        // Killed since the last time (by the out-of-memory killer, say).
        process_.reset();
        state = try_ask(job);
    }
    if (state == ReplyState::kReady) {
        return process_->reply();
    }
    process_.reset();
    if (state == ReplyState::kPending) {
        return make_error("no answer within " + std::to_string(patience_.count()) +
                          " ms: the new memory or the executable's file system hangs");
    }
    return make_error("the reader process ended before it answered");
}

Result<> TakenReader::warm_up() {
    auto started = Expendable::start(
        [](std::span<const std::byte> bytes, std::span<std::byte> room,
           std::vector<UniqueFd>& /*fds*/) {
            Job job;
            std::memcpy(&job, bytes.data(), std::min(bytes.size(), sizeof job));
            return answer(job, room);
        },
        kRoom);
    if (!started) {
        return started.error();
    }
    process_ = std::move(*started);
    return Ok{};
}

ReplyState TakenReader::try_ask(const Job& job) {
    if ((!process_ && !warm_up()) || !process_->begin(std::as_bytes(std::span(&job, 1)))) {
        return ReplyState::kLost;
    }
    // Two looks that find it in one sleep end it. One that works, or has not got the CPU, or whose
    // pages come (from swap, say), gets more time.
    const auto half = std::chrono::microseconds(patience_) / 2;
    std::optional<std::uint64_t> last;
    for (int left = kMaxLooks; left > 0; --left) {
        const ReplyState state = process_->wait(Clock::now() + half);
        const auto sleep = state == ReplyState::kPending ? process_->sleeping() : std::nullopt;
        if (state != ReplyState::kPending || (sleep && sleep == last)) {
            return state;
        }
        last = sleep;
    }
    return ReplyState::kPending;
}

}  // namespace execseal
