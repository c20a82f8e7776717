#include "hook/gate/event_rate.h"

#include <algorithm>
#include <utility>

#include "hook/gate/json_line.h"

namespace execseal {
namespace {

constexpr double kBurst = 10;  // seconds' worth
constexpr std::size_t kTokenBytes = 4096;
constexpr std::chrono::seconds kSummaryEvery{1};
constexpr std::size_t kMostKinds = 256;
constexpr std::size_t kMostBytes = std::size_t{256} << 10U;

}  // namespace

EventRate::EventRate(unsigned per_second) : per_second_(per_second), tokens_(per_second * kBurst) {}

bool EventRate::has_room(Clock::time_point now) {
    if (per_second_ == 0) {
        return true;
    }
    if (filled_) {
        const std::chrono::duration<double> passed = now - *filled_;
        tokens_ = std::min(tokens_ + passed.count() * per_second_, per_second_ * kBurst);
    }
    filled_ = now;
    return tokens_ >= 1;
}

void EventRate::pay(std::size_t bytes) {
    tokens_ -= 1;
    pay_long(bytes);
}

void EventRate::pay_long(std::size_t bytes) {
    tokens_ -= static_cast<double>(bytes / kTokenBytes);
}

EventSummary::Kept& EventSummary::kept(const EventKind& kind, Clock::time_point now) {
    const auto [found, added] = kinds_.try_emplace(kind);
    if (added) {
        bytes_ += kind.program.size() + kind.rule.size();
        if (!due_) {
            due_ = now + kSummaryEvery;
        }
    }
    return found->second;
}

void EventSummary::count(const EventKind& kind, Clock::time_point now, std::string example) {
    Kept& entry = kept(kind, now);
    if (entry.count++ == 0) {
        bytes_ += example.size();
        entry.example = std::move(example);
    }
}

void EventSummary::open(const EventKind& kind, Clock::time_point now) {
    (void)kept(kind, now);
}

bool EventSummary::full() const {
    return kinds_.size() >= kMostKinds || bytes_ >= kMostBytes;
}

std::optional<EventSummary::Clock::time_point> EventSummary::due() const {
    return due_;
}

std::vector<EventSummary::Item> EventSummary::items() const {
    std::vector<Item> items;
    for (const auto& [kind, entry] : kinds_) {
        if (entry.count == 0) {
            continue;
        }
        JsonLine item("{");
        item.number("count", static_cast<std::int64_t>(entry.count));
        item.bytes("exe", kind.program);
        item.text("rule", kind.rule);
        item.text("verdict", kind.verdict);
        if (!kind.would_be.empty()) {
            item.text("would_be", kind.would_be);
        }
        item.text("outcome", kind.outcome);
        if (kind.error != 0) {
            item.number("errno", kind.error);
        }
        std::string text = std::move(item).end();
        text.erase(text.size() - 2);  // "}\n"
        items.push_back(
            {entry.count,
             entry.example.empty() ? text + "}" : text + ",\"first\":{" + entry.example + "}}",
             text + "}"});
    }
    return items;
}

void EventSummary::clear() {
    kinds_.clear();
    bytes_ = 0;
    due_.reset();
}

}  // namespace execseal
