#include "hook/cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace execseal {
namespace {

constexpr std::chrono::milliseconds kFirst{1000};
constexpr std::chrono::milliseconds kBetween{200};

}  // namespace

Progress::Progress(std::string what)
    : what_(std::move(what)),
      next_(Clock::now() + kFirst),
      terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
    if (shown_) {
        (void)std::fputs("\r\x1b[K", stderr);
    }
}

void Progress::at(std::uint64_t done, std::uint64_t total, std::uint64_t items) {
    if (!terminal_) {
        return;
    }
    const auto now = Clock::now();
    if (now < next_) {
        return;
    }
    next_ = now + kBetween;
    shown_ = true;
    static constexpr std::uint64_t kPercent = 100;
    const std::string share = total == 0 ? "" : std::to_string(done * kPercent / total) + " %, ";
    (void)std::fprintf(stderr, "\r%s: %s%llu execs\x1b[K", what_.c_str(), share.c_str(),
                       static_cast<unsigned long long>(items));
    (void)std::fflush(stderr);
}

std::size_t terminal_width() {
    winsize size{};
    return ::isatty(STDOUT_FILENO) == 1 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0
               ? size.ws_col
               : 0;
}

bool takes_colour() {
    const char* const none = std::getenv("NO_COLOR");
    const char* const terminal = std::getenv("TERM");
    return ::isatty(STDOUT_FILENO) == 1 && (none == nullptr || *none == '\0') &&
           terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace execseal
