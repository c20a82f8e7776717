// Progress: a line on a terminal that says how far a long piece of work is.
//
// Says nothing in the first second, nothing where stderr is no terminal, and nothing is left of it
// at the end. Plain text, no colours. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace execseal {

class Progress {
  public:
    // "reading audit.jsonl".
    explicit Progress(std::string what);
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    Progress(Progress&&) = delete;
    Progress& operator=(Progress&&) = delete;
    ~Progress();

    // `total` 0: not known. Cheap: to be called as often as one likes.
    void at(std::uint64_t done, std::uint64_t total, std::uint64_t items);

  private:
    using Clock = std::chrono::steady_clock;

    std::string what_;
    Clock::time_point next_;
    bool shown_ = false;
    bool terminal_;
};

// Columns of the terminal on stdout; 0 where it is none.
std::size_t terminal_width();

// Whether stdout is a terminal that shows colours, and nobody asked for none (NO_COLOR).
bool takes_colour();

}  // namespace execseal
