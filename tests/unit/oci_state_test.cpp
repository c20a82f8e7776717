#include "hook/launch/oci_state.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

// As runc 1.1.5 sends it for `create`.
constexpr const char* kRunc =
    R"({"ociVersion":"0.2.0","fds":["seccompFd"],"pid":4242,"metadata":"{}","state":{"ociVersion":"1.0.2-dev","id":"web",)"
    R"("status":"creating","pid":4242,"bundle":"/run/b/web","annotations":{"a":"b"}}})";

// As crun 1.8.1 sends it for `exec`: pretty-printed, pid 0, bundle ".".
constexpr const char* kCrunExec = R"({
  "ociVersion": "0.2.0",
  "fds": [ "seccompFd" ],
  "pid": 0,
  "state": { "ociVersion": "0.2.0", "id": "web", "status": "running", "pid": 0, "bundle": "." }
})";

TEST(OciState, ReadsWhatRuncAndCrunSend) {
    const auto runc = parse_container_process_state(kRunc, "state");
    ASSERT_TRUE(runc.has_value()) << runc.error().text();
    EXPECT_EQ(runc->state.id, "web");
    EXPECT_EQ(runc->pid, 4242);
    EXPECT_EQ(runc->state.bundle, "/run/b/web");
    ASSERT_EQ(runc->fds.size(), 1U);
    EXPECT_EQ(runc->fds[0], "seccompFd");

    const auto crun = parse_container_process_state(kCrunExec, "state");
    ASSERT_TRUE(crun.has_value()) << crun.error().text();
    EXPECT_EQ(crun->pid, 0);
    EXPECT_EQ(crun->state.bundle, ".");
}

TEST(OciState, ReadsTheStateOfAPoststopHookWithoutAPid) {
    const auto state = parse_oci_state(
        R"({"ociVersion":"1.0","id":"x","status":"stopped","bundle":"/b","root":"/r"})", "stdin");
    ASSERT_TRUE(state.has_value()) << state.error().text();
    EXPECT_EQ(state->pid, 0);
}

TEST(OciState, NamesSourceFieldAndWhatWasExpected) {
    struct Row {
        const char* text;
        const char* expected;
    };
    for (const auto& row :
         {Row{R"({"id":"x","status":"s"})", "stdin: /bundle: expected a string"},
          Row{R"({"id":7,"status":"s","bundle":"/"})", "stdin: /id: expected a string"},
          Row{R"({"id":"","status":"s","bundle":"/"})", "stdin: /id: expected a container id"},
          Row{R"({"id":"x","status":"s","bundle":"/","pid":-1})",
              "stdin: /pid: expected a process id"},
          Row{R"([])", "stdin: /: expected an object"}}) {
        const auto state = parse_oci_state(row.text, "stdin");
        ASSERT_FALSE(state.has_value()) << row.text;
        EXPECT_EQ(state.error().text(), row.expected);
    }
    EXPECT_FALSE(parse_oci_state("{\"id\": \"x\"", "stdin").has_value());
    EXPECT_FALSE(parse_container_process_state(R"({"fds":[1],"state":{}})", "s").has_value());
    EXPECT_FALSE(parse_container_process_state(R"({"fds":["seccompFd"]})", "s").has_value());
    EXPECT_FALSE(parse_container_process_state(R"(null)", "s").has_value());
}

TEST(JsonEnd, FindsTheEndHoweverTheStreamIsCut) {
    const std::string text = std::string("  \n") + kCrunExec;
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        JsonEnd end;
        const auto first = end.feed(std::string_view(text).substr(0, cut));
        EXPECT_EQ(first,
                  cut == text.size() ? JsonEnd::Status::kComplete : JsonEnd::Status::kIncomplete);
        EXPECT_EQ(end.feed(std::string_view(text).substr(cut)), JsonEnd::Status::kComplete);
    }
}

TEST(JsonEnd, IsNotFooledByBracesAndQuotesInStrings) {
    JsonEnd end;
    EXPECT_EQ(end.feed(R"({"a":"}\"}\\")"), JsonEnd::Status::kIncomplete);
    EXPECT_EQ(end.feed("}"), JsonEnd::Status::kComplete);
}

TEST(JsonEnd, SaysWhenItIsNoObject) {
    JsonEnd end;
    EXPECT_EQ(end.feed("GET / HTTP/1.1"), JsonEnd::Status::kNotAnObject);
}

}  // namespace
}  // namespace execseal
