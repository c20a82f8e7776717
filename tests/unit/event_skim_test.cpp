// The quick look at a line says what the parser says, or that it does not know.
#include "hook/cli/event_skim.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

constexpr const char* kLine =
    R"({"time":"2026-01-31T12:00:00.000001Z","event":"exec","container":{"id":"4f3c","name":"web","pod":"shop/front-0","claimed":true},)"
    R"("policy":"site","annotations":{"a":["}",{"b":"\\\""}],"verdict":"kill"},"host_pid":9,)"
    R"("exe":"/bin/wget","argv":["wget","\"exe\":\"/x\"","\\"],"through":[],"raced":true,"env":{},)"
    R"("requested":"wget","via":"exec","verdict":"deny","rule":"no-net","reason":"\"exe\"",)"
    R"("decided_by":"base","outcome":"refused","errno":-13,"race_detected":null,"x":1.5e+3})";

void expect_as_parsed(const std::string& line) {
    Event skimmed;
    ASSERT_TRUE(skim_event(line, skimmed)) << line;
    const auto parsed = parse_event(line);
    ASSERT_TRUE(parsed.has_value()) << line;
    for (const auto member :
         {&Event::time, &Event::kind, &Event::container_id, &Event::container_name, &Event::pod,
          &Event::policy, &Event::exe, &Event::via, &Event::verdict, &Event::rule,
          &Event::decided_by, &Event::outcome}) {
        EXPECT_EQ(skimmed.*member, (*parsed).*member) << line;
    }
}

std::string with(std::string line, const std::string& from, const std::string& to) {
    return line.replace(line.find(from), from.size(), to);
}

TEST(EventSkim, SaysWhatTheParserSays) {
    expect_as_parsed(kLine);
    expect_as_parsed(with(kLine, R"("exe":"/bin/wget",)", ""));
    expect_as_parsed(with(kLine, R"(,"pod":"shop/front-0")", ""));
    expect_as_parsed(with(with(kLine, R"("exe":"/bin/wget",)", ""), R"(}",{)", R"(]",{)"));
    expect_as_parsed(with(kLine, R"("via":"exec")", R"("exe":"/last","via":"exec")"));
}

TEST(EventSkim, ForgetsTheLineBefore) {
    Event event;
    ASSERT_TRUE(skim_event(kLine, event));
    const std::string other =
        R"({"time":"t","event":"exec","container":{"id":"c"},"policy":"p","verdict":"allow"})";
    ASSERT_TRUE(skim_event(other, event));
    EXPECT_EQ(event.container_name + event.pod + event.exe + event.rule + event.outcome, "");
    EXPECT_EQ(event.verdict, "allow");
}

// Nothing that is not sure: torn at any place, another kind, an escape in what is asked for.
TEST(EventSkim, LeavesToTheParserWhatIsNotPlain) {
    Event event;
    const std::string line = kLine;
    for (std::size_t size = 0; size < line.size(); ++size) {
        EXPECT_FALSE(skim_event(line.substr(0, size), event)) << size;
    }
    for (const std::string& unsure :
         {line + "}", line + line, line + " ", with(line, R"("event":"exec")", R"("event":"end")"),
          with(line, R"("exe":"/bin/wget")", R"("exe":"/bin/w\u0067et")"),
          with(line, R"("exe":"/bin/wget")", R"("exe":{"hex":"2f78"})"),
          with(line, R"("exe":"/bin/wget")", "\"exe\":\"/bin/\xff\""),
          with(line, R"("exe":"/bin/wget")", "\"exe\":\"/bin/\t\""),
          with(line, R"("name":"web")", R"("na\u006de":"web")"), with(line, R"("id":"4f3c",)", ""),
          with(line, R"("time":)", R"("times":)"), with(line, R"("host_pid":9)", R"("host_pid":)"),
          std::string("{}"), std::string("[]"), std::string("nonsense")}) {
        EXPECT_FALSE(skim_event(unsure, event)) << unsure;
    }
}

}  // namespace
}  // namespace execseal
