#include "hook/gate/verify.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <optional>
#include <string_view>
#include <tuple>

#include "hook/exec/target.h"
#include "hook/os/check.h"
#include "hook/os/remote_memory.h"

namespace execseal {
namespace {

// What a task may have taken at most; more than that is not what was judged, whatever it is.
constexpr std::size_t kMaxStat = 1U << 16U;
constexpr std::size_t kMaxTaken = 2 * kMaxArgTotal;

// One string off a block, with whether it had its NUL.
std::optional<std::string_view> next_string(std::string_view& rest) {
    if (rest.empty()) {
        return std::nullopt;
    }
    const std::size_t end = std::min(rest.find('\0'), rest.size() - 1);
    const std::string_view string = rest.substr(0, end + 1);
    rest.remove_prefix(end + 1);
    return string;
}

std::string shown(std::optional<std::string_view> string) {
    if (!string) {
        return "";
    }
    if (string->ends_with('\0')) {
        string->remove_suffix(1);
    }
    return std::string(*string);
}

// The first string in which two different blocks differ.
Verification difference(const char* name, std::string_view judged, std::string_view taken) {
    Verification result;
    result.outcome = VerifyOutcome::kDiffers;
    for (std::size_t i = 0;; ++i) {
        const auto a = next_string(judged);
        const auto b = next_string(taken);
        if (a != b || !a) {
            result.field = std::string(name) + "[" + std::to_string(i) + "]";
            result.judged = shown(a);
            result.taken = shown(b);
            return result;
        }
    }
}

std::string text_of(const FileId& id) {
    return "device " + std::to_string(id.device) + " inode " + std::to_string(id.inode);
}

Verification failure(const Error& error) {
    Verification result;
    const bool gone = error.code == ENOENT || error.code == ESRCH;
    result.outcome = gone ? VerifyOutcome::kGone : VerifyOutcome::kUnreadable;
    result.reason = error.text();
    return result;
}

// Up to its NUL; a mark where there is none, which no path of an exec has.
std::string c_string(std::string_view bytes) {
    const std::size_t end = bytes.find('\0');
    return end == std::string_view::npos ? std::string(bytes) + "..."
                                         : std::string(bytes.substr(0, end));
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

}  // namespace

const char* verify_outcome_name(VerifyOutcome outcome) {
    switch (outcome) {
        case VerifyOutcome::kUnreadable:
            return "unreadable";
        case VerifyOutcome::kGone:
            return "gone";
        case VerifyOutcome::kDiffers:
            return "differs";
        case VerifyOutcome::kSame:
            return "same";
    }
    return "unknown";
}

ExpectedExec expected_exec(ExecStudy&& study) {
    CHECK(study.snapshot.outcome == SnapshotOutcome::kComplete &&
          study.program.outcome == ProgramOutcome::kFound &&
          study.program.executed < study.program.files.size());
    return {study.program.files[study.program.executed].id, std::move(study.program.final_argv),
            std::move(study.snapshot.env), exec_filename(study.snapshot.call, study.snapshot.path)};
}

Verification compare_exec(const ExpectedExec& judged, const TakenExec& taken) {
    if (judged.executable != taken.executable) {
        Verification result;
        result.outcome = VerifyOutcome::kDiffers;
        result.field = "exe";
        result.judged = text_of(judged.executable);
        result.taken = text_of(taken.executable);
        return result;
    }
    if (judged.argv.bytes != taken.argv) {
        return difference("argv", judged.argv.bytes, taken.argv);
    }
    if (judged.env.bytes != taken.env) {
        return difference("env", judged.env.bytes, taken.env);
    }
    if (judged.path != taken.path) {
        Verification result;
        result.outcome = VerifyOutcome::kDiffers;
        result.field = "path";
        result.judged = judged.path;
        result.taken = taken.path;
        return result;
    }
    Verification same;
    same.outcome = VerifyOutcome::kSame;
    return same;
}

std::size_t stack_words(const ExpectedExec& judged) {
    return 1 + judged.argv.count + 1 + judged.env.count + 1;
}

std::optional<RemoteAddr> match_stack_words(const ExpectedExec& judged,
                                            std::span<const std::uint64_t> words) {
    if (words.size() != stack_words(judged) || judged.argv.count == 0 ||
        words[0] != judged.argv.count) {
        return std::nullopt;
    }
    const std::uint64_t first = words[1];
    std::uint64_t next = first;
    std::size_t at = 1;
    for (const StringBlock* block : {&judged.argv, &judged.env}) {
        std::string_view rest = block->bytes;
        for (std::size_t i = 0; i < block->count; ++i) {
            const auto string = next_string(rest);
            if (!string || words[at++] != next) {
                return std::nullopt;
            }
            next += string->size();
        }
        if (words[at++] != 0) {
            return std::nullopt;
        }
    }
    return RemoteAddr{first};
}

bool ExecVerifier::take_from_stack(Tgid stopped, const ExpectedExec& judged, RemoteAddr stack) {
    words_.resize(stack_words(judged));
    const auto words = std::as_writable_bytes(std::span(words_));
    if (read_new_memory(stopped, stack, words) != words.size()) {
        return false;
    }
    const auto strings = match_stack_words(judged, words_);
    if (!strings) {
        return false;
    }
    const std::size_t argv_size = judged.argv.bytes.size();
    const std::size_t env_size = judged.env.bytes.size();
    taken_.argv.resize(argv_size + env_size + judged.path.size() + 1);
    const auto bytes = std::as_writable_bytes(std::span(taken_.argv));
    if (read_new_memory(stopped, *strings, bytes) != bytes.size()) {
        return false;
    }
    taken_.path = c_string(std::string_view(taken_.argv).substr(argv_size + env_size));
    taken_.env.assign(taken_.argv, argv_size, env_size);
    taken_.argv.resize(argv_size);
    return true;
}

Result<> ExecVerifier::take_path(Tgid stopped) {
    const std::string file = "/proc/" + std::to_string(stopped.value) + "/stat";
    auto text = read_text_at(AT_FDCWD, file, kMaxStat);
    if (!text) {
        return text.error();
    }
    const auto end = environment_end(*text);
    if (!end) {
        return make_error(file + ": expected env_end");
    }
    std::string bytes(PATH_MAX, '\0');
    bytes.resize(read_new_memory(stopped, *end, std::as_writable_bytes(std::span(bytes))));
    taken_.path = c_string(bytes);
    return Ok{};
}

Verification ExecVerifier::verify(Tgid stopped, const ExpectedExec& judged,
                                  std::optional<RemoteAddr> stack) {
    const std::string proc = "/proc/" + std::to_string(stopped.value);
    const auto executable = executable_of(stopped);
    if (!executable) {
        return failure(executable.error());
    }
    taken_.executable = *executable;
    if (stack && take_from_stack(stopped, judged, *stack)) {
        Verification seen = compare_exec(judged, taken_);
        if (seen.outcome == VerifyOutcome::kSame) {
            return seen;
        }
    }
    for (const auto& [file, expected, text] :
         {std::tuple{"/cmdline", judged.argv.bytes.size(), &taken_.argv},
          std::tuple{"/environ", judged.env.bytes.size(), &taken_.env}}) {
        if (const auto read = read_text_into(proc + file, expected, kMaxTaken, *text); !read) {
            return failure(read.error());
        }
    }
    if (const auto read = take_path(stopped); !read) {
        return failure(read.error());
    }
    Verification result = compare_exec(judged, taken_);
    // A task killed meanwhile shows empty files; that is no race.
    if (result.outcome == VerifyOutcome::kDiffers) {
        if (const auto still = executable_of(stopped); !still) {
            return failure(still.error());
        }
    }
    return result;
}

}  // namespace execseal
