// `execseal ps`: what it makes of the supervisors' answers.
#include "hook/cli/ps_table.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace execseal {
namespace {

using nlohmann::ordered_json;

ordered_json status_of(const std::string& id, const std::string& name) {
    return {{"container_id", id},
            {"container_name", name},
            {"policy", "web"},
            {"floor", "base"},
            {"mode", "enforce"},
            {"protect", {{"freeze", "pidns"}, {"verify", true}}},
            {"supervisor_pid", 77},
            {"since", "2026-01-31T12:00:00.000001Z"},
            {"decisions", {{"allow", 5U}, {"audit", 1U}, {"deny", 2U}, {"kill", 1U}}},
            {"races_detected", 4},
            {"tasks", 3}};
}

TEST(PsTable, ShowsAContainerInOneRow) {
    EXPECT_EQ(containers_text({status_of("c1", "")}),
              "ID  NAME  POLICY    MODE     PROTECT       TASKS  SUPERVISOR  SINCE                "
              "ALLOWED  REFUSED  RACES\n"
              "c1  -     web+base  enforce  pidns+verify  3      77          2026-01-31 12:00:00  "
              "6        3        4\n");
}

TEST(PsTable, SaysWhereExecsAreBoundInTheKernel) {
    ordered_json status = status_of("c1", "");
    status["binding"] = {{"by", "ptrace"}, {"reason", "no such kernel"}};
    EXPECT_NE(containers_text({status}).find("  pidns+verify  "), std::string::npos);
    status["binding"] = {{"by", "kernel"}};
    EXPECT_NE(containers_text({status}).find("  pidns+verify@kernel  "), std::string::npos);
    status["protect"]["verify"] = false;
    EXPECT_NE(containers_text({status}).find("  pidns  "), std::string::npos)
        << "nothing is compared";
}

TEST(PsTable, LostEventsHaveAColumnWhereThereAreAny) {
    ordered_json status = status_of("c1", "");
    status["events_lost"] = 7U;
    const std::string text = containers_text({status, status_of("c2", "")});
    EXPECT_NE(text.find("RACES  LOST EVENTS\n"), std::string::npos) << text;
    EXPECT_NE(text.find("4      7\n"), std::string::npos) << text;
    EXPECT_NE(text.find("4      0\n"), std::string::npos) << text;
}

TEST(PsTable, ASupervisorThatSaysLessIsShownWithDashes) {
    const std::string text = containers_text({{{"container_id", "c1"}}});
    EXPECT_NE(text.find("c1  -     -       -     -"), std::string::npos) << text;
}

TEST(PsTable, ShowsTasksWithProgramsThatAreNotText) {
    const ordered_json tasks{{"tasks",
                              {{{"tid", 70},
                                {"container_pid", 1},
                                {"parent", 0},
                                {"exe", {{"hex", "2f62ff"}}},
                                {"registered", "fork"},
                                {"since", "2026-01-31T12:00:00.5Z"}}}}};
    EXPECT_EQ(tasks_text(tasks),
              "TID  CONTAINER PID  PARENT  REGISTERED  SINCE                EXE\n"
              "70   1              0       fork        2026-01-31 12:00:00  \"/b\\xff\"\n");
    EXPECT_EQ(tasks_text(ordered_json::object()),
              "TID  CONTAINER PID  PARENT  REGISTERED  SINCE  EXE\n");
}

TEST(FindContainer, TakesIdNameAndUnambiguousBeginnings) {
    const std::vector<ordered_json> all{status_of("abc1", "web"), status_of("abc2", "db"),
                                        status_of("abc", "")};
    EXPECT_EQ(find_container(all, "web").value(), 0U);
    EXPECT_EQ(find_container(all, "abc2").value(), 1U);
    EXPECT_EQ(find_container(all, "abc").value(), 2U);  // an id of its own
    const auto two = find_container(all, "ab");
    ASSERT_FALSE(two.has_value());
    EXPECT_EQ(two.error().text(),
              "container ab: 3 supervised containers are called so: abc1 web, abc2 db, abc");
    EXPECT_FALSE(find_container(all, "").has_value());
    EXPECT_FALSE(find_container(all, "-").has_value());  // how a missing name is shown
    EXPECT_FALSE(find_container({}, "abc").has_value());
}

}  // namespace
}  // namespace execseal
