// shebang: the "#!" line of a script, cut exactly as the kernel cuts it.
//
// Takes the first bytes of a file, gives interpreter and argument or nothing. Pure. A copy of the
// rules of load_script(), fs/binfmt_script.c (Linux 5.1 to 6.18), with its odd cases: only the
// first 256 bytes count, the argument may be cut there but never the interpreter, all words after
// the first are one argument, and a NUL ends the line.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace execseal {

inline constexpr std::size_t kBinprmBuffer = 256;  // BINPRM_BUF_SIZE
inline constexpr int kMaxInterpreters = 5;         // exec_binprm(), fs/exec.c: deeper is ELOOP

struct Shebang {
    std::string interpreter;
    std::optional<std::string> argument;
};

// `head` is the start of the file, at most kBinprmBuffer bytes of it are looked at. nullopt: the
// kernel would not take it for a script.
std::optional<Shebang> parse_shebang(std::string_view head);

}  // namespace execseal
