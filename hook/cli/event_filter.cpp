#include "hook/cli/event_filter.h"

#include <algorithm>
#include <charconv>

#include "config/built_in_rules.h"
#include "hook/os/clock.h"

namespace execseal {
namespace {

using std::chrono::seconds;

// "10m" -> 600 s.
std::optional<seconds> parse_age(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    static constexpr std::int64_t kMost = 1'000'000;
    if (code != std::errc{} || end + 1 != text.data() + text.size() || number < 0 ||
        number > kMost) {
        return std::nullopt;
    }
    switch (*end) {
        case 's':
            return seconds(number);
        case 'm':
            return seconds(number * 60);
        case 'h':
            return seconds(number * 3600);
        case 'd':
            return seconds(number * 86400);
        default:
            return std::nullopt;
    }
}

// The beginning of "2026-01-31T23:59:59.123456", at least the date.
bool is_moment(std::string_view text) {
    static constexpr std::string_view kShape = "0000-00-00T00:00:00.000000";
    static constexpr std::size_t kDate = 10;
    if (text.size() < kDate || text.size() > kShape.size()) {
        return false;
    }
    return std::equal(text.begin(), text.end(), kShape.begin(), [](char c, char shape) {
        return shape == '0' ? c >= '0' && c <= '9' : c == shape;
    });
}

bool any_of(const std::vector<std::string>& wanted, std::string_view value) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

}  // namespace

Result<EventFilter> EventFilter::compile(const EventQuery& query,
                                         std::chrono::system_clock::time_point now) {
    EventFilter filter;
    filter.query_ = query;
    filter.least_.assign(query.containers.size(), NameMatch::kBeginning);
    for (const std::string& pattern : query.exes) {
        auto glob = Glob::compile(pattern);
        if (!glob) {
            return add_context(pattern, glob.error());
        }
        filter.exes_.push_back(std::move(*glob));
    }
    const std::string& since = query.since;
    if (const auto age = parse_age(since)) {
        filter.since_ = utc_text(now - *age);
        return filter;
    }
    // Without its "Z", which would sort behind the fraction of a later time.
    filter.since_ = since.substr(0, since.ends_with('Z') ? since.size() - 1 : since.size());
    if (!since.empty() && !is_moment(filter.since_)) {
        return make_error(since +
                          ": expected an age (30s, 10m, 2h, 7d) or a time in UTC "
                          "(2026-01-31, 2026-01-31T12:00)");
    }
    return filter;
}

Result<> EventFilter::mean_among(const std::vector<ContainerNames>& seen) {
    for (std::size_t i = 0; i < query_.containers.size(); ++i) {
        const auto meaning = meaning_among(seen, query_.containers[i]);
        if (!meaning) {
            return meaning.error();
        }
        least_[i] = *meaning;
    }
    return Ok{};
}

bool EventFilter::is_of_container(const Event& event) const {
    const ContainerNames names = names_of(event);
    for (std::size_t i = 0; i < query_.containers.size(); ++i) {
        if (match_container(names, query_.containers[i]) >= least_[i]) {
            return true;
        }
    }
    return false;
}

bool EventFilter::shows(const Event& event) const {
    const std::vector<std::string>& rules = query_.rules;
    if (rules.empty() ? !query_.all && event.rule == built_in_rule::kKernel
                      : !any_of(rules, event.rule)) {
        return false;
    }
    return event.time >= since_ && any_of(query_.verdicts, event.verdict) &&
           any_of(query_.vias, event.via) && any_of(query_.outcomes, event.outcome) &&
           (any_of(query_.policies, event.policy) ||
            (!event.decided_by.empty() && any_of(query_.policies, event.decided_by))) &&
           (exes_.empty() ||
            std::any_of(exes_.begin(), exes_.end(),
                        [&](const Glob& glob) { return glob.matches(event.exe); })) &&
           (query_.containers.empty() || is_of_container(event));
}

}  // namespace execseal
