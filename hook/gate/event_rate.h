// EventRate and EventSummary: how a flood of one container's events is kept from becoming a flood
// of log.
//
// Pure but for the clock that the caller hands in. EventRate says which events are written as they
// are; EventSummary counts the others by kind (program, rule, verdict, outcome, errno) with the
// first of each as an example, until they are written as one line.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace execseal {

// A token bucket: `per_second` events on average, ten times as many at once; a longer event costs
// more, one token for each 4 KiB that it begins.
class EventRate {
  public:
    using Clock = std::chrono::steady_clock;

    // 0: no limit.
    explicit EventRate(unsigned per_second);
    // An event may be written now, of whatever length: pay() tells it afterwards, and a long one
    // leaves a debt.
    [[nodiscard]] bool has_room(Clock::time_point now);
    void pay(std::size_t bytes);
    // Of a line that comes before its event's own: only what is long of it.
    void pay_long(std::size_t bytes);

  private:
    double per_second_;
    double tokens_;
    std::optional<Clock::time_point> filled_;
};

// What makes events equal in a summary.
struct EventKind {
    std::string program;  // as it is judged, or as it was asked for
    std::string rule;
    std::string verdict;
    std::string would_be;  // empty: none
    std::string outcome;
    int error = 0;
    friend auto operator<=>(const EventKind&, const EventKind&) = default;
};

class EventSummary {
  public:
    using Clock = std::chrono::steady_clock;

    // One event that is not written by itself. `example`: the members of its line.
    void count(const EventKind& kind, Clock::time_point now, std::string example);
    // One event that is written by itself; equal ones after it are only counted.
    void open(const EventKind& kind, Clock::time_point now);
    [[nodiscard]] bool knows(const EventKind& kind) const { return kinds_.contains(kind); }
    [[nodiscard]] std::size_t kinds() const { return kinds_.size(); }
    void count_known(const EventKind& kind) { ++kinds_.at(kind).count; }

    // So much is kept that a line should be written before more is added.
    [[nodiscard]] bool full() const;
    // When what is kept is to be written; nullopt: nothing is.
    [[nodiscard]] std::optional<Clock::time_point> due() const;
    void put_off(Clock::time_point until) { due_ = until; }
    struct Item {
        std::uint64_t count = 0;
        std::string text;  // JSON: an object
        std::string without_example;
    };
    // The kinds of which something was counted.
    [[nodiscard]] std::vector<Item> items() const;
    void clear();

  private:
    struct Kept {
        std::uint64_t count = 0;
        std::string example;
    };
    Kept& kept(const EventKind& kind, Clock::time_point now);

    std::map<EventKind, Kept> kinds_;
    std::size_t bytes_ = 0;
    std::optional<Clock::time_point> due_;
};

}  // namespace execseal
