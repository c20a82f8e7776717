// What `execseal events` reads, keeps and shows.
#include "hook/cli/event_filter.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

using std::chrono::hours;
using std::chrono::system_clock;

constexpr const char* kDenied =
    R"({"time":"2026-01-31T12:00:00.000001Z","event":"exec","container":{"id":"4f3c1d2e","name":"web"},)"
    R"("policy":"site","annotations":{},"host_pid":9,"exe":"/bin/wget","argv":["wget","http://x"],)"
    R"("via":"exec","verdict":"deny","rule":"no-net","reason":"rule no-net: exe is \"/bin/wget\"",)"
    R"("decided_by":"base","outcome":"refused","errno":13})";

Event event_of(const std::string& line) {
    auto event = parse_event(line);
    EXPECT_TRUE(event.has_value()) << line;
    return event.value_or(Event{});
}

bool shows(const EventQuery& query, const std::string& line = kDenied) {
    const auto filter = EventFilter::compile(query, system_clock::now());
    EXPECT_TRUE(filter.has_value()) << filter.error().text();
    return filter && filter->shows(event_of(line));
}

TEST(EventFilter, ShowsEverythingUnlessAsked) {
    EXPECT_TRUE(shows({}));
}

TEST(EventFilter, EachFieldLetsItsOwnValuesPass) {
    EXPECT_TRUE(shows({.containers = {"web"}}));
    EXPECT_TRUE(shows({.containers = {"4f3c"}}));
    EXPECT_FALSE(shows({.containers = {"we"}}));  // the beginning of an id, not of a name
    EXPECT_FALSE(shows({.containers = {""}}));
    EXPECT_TRUE(shows({.policies = {"site"}}));
    EXPECT_TRUE(shows({.policies = {"base"}}));  // who decided
    EXPECT_FALSE(shows({.policies = {"other"}}));
    EXPECT_TRUE(shows({.verdicts = {"kill", "deny"}}));
    EXPECT_FALSE(shows({.verdicts = {"allow"}}));
    EXPECT_TRUE(shows({.rules = {"no-net"}}));
    EXPECT_FALSE(shows({.rules = {"no"}}));
    EXPECT_TRUE(shows({.exes = {"/bin/*"}}));
    EXPECT_FALSE(shows({.exes = {"/usr/**"}}));
    EXPECT_TRUE(shows({.vias = {"exec"}}));
    EXPECT_FALSE(shows({.vias = {"child"}}));
    EXPECT_TRUE(shows({.outcomes = {"refused"}}));
    EXPECT_FALSE(shows({.outcomes = {"executed"}}));
    EXPECT_FALSE(shows({.containers = {"web"}, .verdicts = {"allow"}}));
}

TEST(EventFilter, WhatStandsInTheContainerColumnFindsItsEvents) {
    const std::string id(64, 'a');
    for (const std::string container :
         {R"({"id":"4f3c1d2e","name":"web"})",
          R"({"id":"4f3c1d2e","name":"front","pod":"shop/front-0"})",
          R"({"id":"4f3c1d2e","name":"a b"})", R"({"id":"4f3c1d2e","pod":"shop/front-0"})",
          R"({"id":"execseal-1"})"}) {
        std::string line = kDenied;
        line.replace(line.find(R"({"id":"4f)"), 30, container);
        const std::string shown = event_cells(event_of(line)).at(1);
        EXPECT_TRUE(shows({.containers = {shown}}, line)) << shown;
    }
    std::string line = kDenied;
    line.replace(line.find(R"({"id":"4f)"), 30, R"({"id":")" + id + R"("})");
    EXPECT_TRUE(shows({.containers = {event_cells(event_of(line)).at(1)}}, line));
}

TEST(EventFilter, APodIsNamedWithItsNamespace) {
    std::string line = kDenied;
    line.replace(line.find(R"("name":"web")"), 12, R"("name":"web","pod":"shop/front-0")");
    EXPECT_TRUE(shows({.containers = {"shop/front-0"}}, line));
    EXPECT_FALSE(shows({.containers = {"shop/front-1"}}, line));
    EXPECT_TRUE(shows({.containers = {"shop/front-0/web"}}, line));
    EXPECT_FALSE(shows({.containers = {"shop/front-0/we"}}, line));
    EXPECT_FALSE(shows({.containers = {"shop/front-0/"}}, line));
    EXPECT_FALSE(shows({.containers = {""}}));
    EXPECT_EQ(event_cells(event_of(line))[1], "shop/front-0/web");
    EXPECT_EQ(event_cells(event_of(kDenied))[1], "web");
}

TEST(EventFilter, ADecisionsFilterHidesWhatIsNoDecision) {
    const std::string start =
        R"({"time":"2026-01-31T12:00:00.000001Z","event":"start","container":{"id":"a","name":""},"policy":"p","mode":"enforce"})";
    EXPECT_TRUE(shows({.policies = {"p"}}, start));
    EXPECT_FALSE(shows({.verdicts = {"deny"}}, start));
    EXPECT_FALSE(shows({.policies = {"q"}}, start));
}

TEST(EventFilter, WhatTheKernelWouldRefuseAnywayIsLeftOutUnlessAskedFor) {
    std::string miss = kDenied;
    miss.replace(miss.find("no-net"), 6, "kernel");
    EXPECT_FALSE(shows({}, miss));
    EXPECT_FALSE(shows({.verdicts = {"deny"}}, miss));
    EXPECT_TRUE(shows({.all = true}, miss));
    EXPECT_TRUE(shows({.verdicts = {"deny"}, .all = true}, miss));
    EXPECT_TRUE(shows({.rules = {"kernel"}}, miss));
    EXPECT_FALSE(shows({.rules = {"no-net"}, .all = true}, miss));
}

TEST(EventFilter, AContainerIsMeantAmongThoseOfTheFile) {
    const auto filter = [](const std::string& word) {
        auto made = EventFilter::compile({.containers = {word}}, system_clock::now());
        EXPECT_TRUE(made.has_value());
        return std::move(made).value();
    };
    std::string other = kDenied;  // its id begins as the name of the first
    other.replace(other.find(R"("id":"4f3c1d2e","name":"web")"), 28,
                  R"("id":"web1d2e3","name":"db")");
    EventFilter web = filter("web");
    EXPECT_TRUE(web.shows(event_of(other)));
    ASSERT_TRUE(web.mean_among({names_of(event_of(kDenied)), names_of(event_of(other))}));
    EXPECT_TRUE(web.shows(event_of(kDenied)));
    EXPECT_FALSE(web.shows(event_of(other)));
    EventFilter by_id = filter("web1");
    ASSERT_TRUE(by_id.mean_among({names_of(event_of(kDenied)), names_of(event_of(other))}));
    EXPECT_TRUE(by_id.shows(event_of(other)));
    EXPECT_FALSE(by_id.shows(event_of(kDenied)));
    const auto unclear =
        filter("web").mean_among({{"aa1", "web", "shop/front-0"}, {"ab1", "web", "shop/front-1"}});
    ASSERT_FALSE(unclear.has_value());
    EXPECT_NE(unclear.error().text().find("ab1 shop/front-1/web"), std::string::npos);
}

TEST(EventFilter, SinceIsAnAgeOrAMoment) {
    const auto at = [](const std::string& since, system_clock::time_point now) {
        const auto filter = EventFilter::compile({.since = since}, now);
        EXPECT_TRUE(filter.has_value()) << since;
        return filter && filter->shows(event_of(kDenied));
    };
    const system_clock::time_point noon{std::chrono::seconds(1769860800)};  // 2026-01-31T12:00Z
    EXPECT_TRUE(at("1h", noon + hours(1)));
    EXPECT_FALSE(at("59m", noon + hours(1)));
    EXPECT_TRUE(at("3601s", noon + hours(1)));
    EXPECT_TRUE(at("1d", noon + hours(24)));
    EXPECT_FALSE(at("0s", noon + hours(1)));
    for (const char* before :
         {"2026-01-31", "2026-01-31T12", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000001Z"}) {
        EXPECT_TRUE(at(before, noon)) << before;
    }
    for (const char* after : {"2026-02-01", "2026-01-31T12:01", "2026-01-31T12:00:00.000002Z"}) {
        EXPECT_FALSE(at(after, noon)) << after;
    }
}

TEST(EventFilter, RefusesWhatItDoesNotUnderstand) {
    for (const char* since : {"yesterday", "10", "h", "-1h", "1w", "2026", "2026-1-31", "10mm",
                              "2026-01-31 12:00", "99999999999999999999h"}) {
        const auto filter = EventFilter::compile({.since = since}, system_clock::now());
        ASSERT_FALSE(filter.has_value()) << since;
        EXPECT_NE(filter.error().text().find(": expected an age"), std::string::npos);
    }
    const auto filter = EventFilter::compile({.exes = {"/bin/["}}, system_clock::now());
    ASSERT_FALSE(filter.has_value());
    EXPECT_NE(filter.error().text().find("/bin/[: "), std::string::npos);
}

TEST(Event, GivesBackBytesThatWereWrittenAsHex) {
    const Event event = event_of(
        R"({"time":"t","event":"exec","container":{"id":"a"},"exe":{"hex":"2fff"},"argv":["a",{"hex":"00"}]})");
    EXPECT_EQ(event.exe, "/\xff");
    EXPECT_EQ(event.argv, (std::vector<std::string>{"a", std::string(1, '\0')}));
}

TEST(Event, IsNotMadeOfWhatIsNone) {
    for (const char* line : {"", "x", "[]", "{}", "7", R"({"time":"t"})", "{\"time\":\"t\",",
                             R"({"time":"t","event":"exec","container":"web"})",
                             R"({"time":7,"event":"exec","container":{}})"}) {
        EXPECT_FALSE(parse_event(line).has_value()) << line;
    }
}

TEST(Event, SaysInOneRowWhatHappenedAndWhy) {
    EXPECT_EQ(event_cells(event_of(kDenied)),
              (Cells{"2026-01-31 12:00:00", "web", "exec", "deny", "refused EACCES", "no-net",
                     "/bin/wget http://x   # exe is \"/bin/wget\" (floor base)"}));
    EXPECT_EQ(event_titles().size(), event_cells(event_of(kDenied)).size());
    const Event race = event_of(
        R"({"time":"t","event":"exec","container":{"id":"a","name":""},"exe":"/bin/x","argv":["x"],"via":"child",)"
        R"("verdict":"allow","rule":"r","outcome":"killed","race_detected":{"field":"argv","judged":"good","taken":"evil"}})");
    EXPECT_EQ(event_cells(race).back(),
              "/bin/x   # race detected, argv: judged \"good\", taken \"evil\"");
    const Event end = event_of(
        R"({"time":"t","event":"end","container":{"id":"a"},"decisions":{"allow":5,"deny":1}})");
    EXPECT_EQ(event_cells(end), (Cells{"t", "a", "-", "-", "end", "-", "5 allow, 1 deny"}));
}

TEST(Event, NoFieldReachesTheTerminalRaw) {
    const Event event = event_of(
        "{\"time\":\"\\u001b[0m\",\"event\":\"exec\",\"container\":{\"id\":\"\\u001bc\",\"name\":"
        "\"\\u001bn\"},"
        "\"exe\":\"/"
        "\\u001b\",\"argv\":[\"x\",\"\\u001b\"],\"via\":\"\\u001b\",\"verdict\":\"\\u001b\","
        "\"rule\":\"\\u001b\",\"reason\":\"\\u001b\",\"outcome\":\"\\u001b\",\"policy\":"
        "\"\\u001b\"}");
    for (const std::string& cell : event_cells(event)) {
        EXPECT_EQ(cell.find('\x1b'), std::string::npos) << printable(cell);
    }
}

TEST(ParseEvent, ASummaryIsOneExecForEachOfItsKinds) {
    const auto event = parse_event(
        R"({"time":"2026-01-31T12:00:00.000001Z","event":"summary","container":{"id":"a","name":""},)"
        R"("policy":"p","count":12,"kinds":[{"count":9,"exe":"/bin/x","rule":"r","verdict":"allow",)"
        R"("outcome":"executed","first":{"argv":["x","1"],"via":"exec"}},{"count":3,"exe":"/bin/y",)"
        R"("rule":"no-y","verdict":"deny","outcome":"refused","errno":1}]})");
    ASSERT_TRUE(event.has_value());
    const auto events = expanded(*event);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].argv, (std::vector<std::string>{"x", "1"}));
    EXPECT_EQ(events[0].via, "exec");
    EXPECT_EQ(events[0].count, 9U);
    EXPECT_EQ(event_cells(events[1])[4], "refused EPERM x3");
    EventQuery query;
    query.verdicts = {"deny"};
    const auto filter = EventFilter::compile(query, std::chrono::system_clock::now());
    ASSERT_TRUE(filter.has_value());
    EXPECT_FALSE(filter->shows(events[0]));
    EXPECT_TRUE(filter->shows(events[1]));
}

}  // namespace
}  // namespace execseal
