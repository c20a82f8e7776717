// execseal: the person's tool. Reads, asks and explains; changes nothing of a running container.

#include <cstdio>
#include <exception>

#include "hook/cli/command_line.h"

namespace {

int act(const std::vector<std::string>& words) {
    const execseal::ParsedCommand parsed = execseal::parse_command_line(words);
    if (!parsed.action) {
        (void)std::fputs(parsed.text.c_str(), parsed.code == 0 ? stdout : stderr);
        return parsed.code;
    }
    const auto code = parsed.action();
    if (!code) {
        (void)std::fprintf(stderr, "execseal: %s\n", code.error().text().c_str());
        return 1;
    }
    return *code;
}

int run(const std::vector<std::string>& words) {
    const int code = act(words);
    // An earlier flush may have failed and left nothing to be flushed now.
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        (void)std::fputs("execseal: writing to stdout failed\n", stderr);
        return 1;
    }
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run({argv + 1, argv + argc});
    } catch (const std::exception& failure) {
        (void)std::fprintf(stderr, "execseal: %s\n", failure.what());
        return 1;
    }
}
