#include "hook/gate/verify.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

#include "hook/exec/target.h"
#include "hook/os/check.h"

namespace execseal {
namespace {

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

// Of all strings, the path's with its NUL.
std::size_t stack_bytes(const ExpectedExec& judged) {
    return judged.argv.bytes.size() + judged.env.bytes.size() + judged.path.size() + 1;
}

Verification failure(const Error& error) {
    Verification result;
    const bool gone = error.code == ENOENT || error.code == ESRCH;
    result.outcome = gone ? VerifyOutcome::kGone : VerifyOutcome::kUnreadable;
    result.reason = error.text();
    return result;
}

// False where its words are not those of `judged`, too: then nothing says where the strings are.
bool is_same(const ExpectedExec& judged, const TakenStack& stack) {
    const std::size_t argv_size = judged.argv.bytes.size();
    const std::size_t env_size = judged.env.bytes.size();
    // The bytes were read from the second word on, which is the address of the first string.
    return judged.executable == stack.executable && match_stack_words(judged, stack.words) &&
           stack.bytes.size() == stack_bytes(judged) &&
           stack.bytes.substr(0, argv_size) == judged.argv.bytes &&
           stack.bytes.substr(argv_size, env_size) == judged.env.bytes &&
           c_string(stack.bytes.substr(argv_size + env_size)) == judged.path;
}

}  // namespace

ExpectedExec expected_exec(ExecStudy&& study) {
    CHECK(study.snapshot.outcome == SnapshotOutcome::kComplete &&
          study.program.outcome == ProgramOutcome::kFound &&
          study.program.executed < study.program.files.size());
    return {study.program.files[study.program.executed].id, std::move(study.program.final_argv),
            std::move(study.snapshot.env), exec_filename(study.snapshot.call, study.snapshot.path),
            study.fs_serial};
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

Verification ExecVerifier::verify(Tgid stopped, const ExpectedExec& judged,
                                  std::optional<RemoteAddr> stack) {
    if (stack) {
        const auto seen = reader_.stack(stopped, *stack, stack_words(judged), stack_bytes(judged));
        if (!seen) {
            return failure(seen.error());
        }
        const bool same = is_same(judged, *seen);
        reader_.drop();
        if (same) {
            Verification result;
            result.outcome = VerifyOutcome::kSame;
            return result;
        }
    }
    const std::size_t argv_size = judged.argv.bytes.size();
    const std::size_t env_size = judged.env.bytes.size();
    const auto taken = reader_.files(stopped, argv_size, env_size);
    if (!taken) {
        return failure(taken.error());
    }
    Verification result = compare_exec(judged, *taken);
    // A task killed meanwhile shows empty files; that is no race.
    if (result.outcome == VerifyOutcome::kDiffers) {
        if (const auto still = reader_.files(stopped, argv_size, env_size); !still) {
            return failure(still.error());
        }
    }
    return result;
}

}  // namespace execseal
