// Secrets: what of an exec's arguments and environment must not stand in a log.
//
// Takes strings of an exec, gives the same with each value that looks like a secret replaced by its
// length and SHA-256: "--password=<secret: 7 bytes, sha256 9f86...>". Equal secrets can still be
// told to be equal. Pure. What looks like one: the value of a flag, a variable, a header or a
// member with a telling name (password, token, secret, api key, Authorization, ...; the settings
// may name more), the password of a URL, keys with a well-known beginning. A list of names never
// knows all: what a program calls harmlessly stays.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/glob.h"
#include "hook/os/result.h"

namespace execseal {

class Secrets {
  public:
    // `names`: globs over further names, whatever their case; "-" before a flag does not count. The
    // Error names the pattern.
    static Result<Secrets> compile(const std::vector<std::string>& names);

    // Is what follows this name a secret? Of a flag, a variable, a header.
    [[nodiscard]] bool tells(std::string_view name) const;

    // Any text: a shell's command, a reason.
    [[nodiscard]] std::string redact_text(std::string_view text) const;
    // argv[at] of `program` (a path): what comes before it may say that it is a secret.
    [[nodiscard]] std::string redact_argument(std::string_view program,
                                              std::span<const std::string> argv,
                                              std::size_t at) const;
    // "NAME=value".
    [[nodiscard]] std::string redact_variable(std::string_view entry) const;

  private:
    // A shell's command.
    [[nodiscard]] std::string redact_shell(std::string_view text) const;
    // nullopt: no flag before it and none that it begins with says that it is one.
    [[nodiscard]] std::optional<std::string> redact_by_flags(std::string_view program,
                                                             std::span<const std::string> argv,
                                                             std::size_t at) const;

    std::vector<Glob> names_;
};

// "<secret: 7 bytes, sha256 9f86...>", 64 hex digits.
std::string secret_mark(std::string_view value);

}  // namespace execseal
