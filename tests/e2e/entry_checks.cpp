#include "tests/e2e/entry_checks.h"

#include <gtest/gtest.h>

namespace execseal::e2e {

std::vector<std::string> tour() {
    return {"/bin/sh", "-c",
            "/bin/echo hello; /bin/wget 2>/dev/null; echo $?; /bin/id -u; exit 42"};
}

nlohmann::json expect_tour_in_events(const Node& node) {
    const auto wgets = node.events_of("/bin/wget");
    EXPECT_EQ(wgets.size(), 1U);
    nlohmann::json denied = wgets.empty() ? nlohmann::json::object() : wgets[0];
    EXPECT_EQ(denied.value("rule", ""), "no-wget") << denied;
    EXPECT_EQ(denied.value("outcome", ""), "refused") << denied;
    EXPECT_EQ(node.events_of("/bin/id").at(0)["via"], "child");
    EXPECT_EQ(node.events_of("/bin/sh").at(0)["via"], "entrypoint");
    return denied;
}

void expect_denied_entrypoint(const Node& node, const Outcome& outcome) {
    EXPECT_NE(outcome.exit_code, 0) << outcome.text();
    EXPECT_EQ(outcome.text().find("Usage: wget"), std::string::npos) << outcome.text();
    EXPECT_TRUE(node.nothing_left());  // all is written by then
    const auto wgets = node.events_of("/bin/wget");
    ASSERT_FALSE(wgets.empty());
    EXPECT_EQ(wgets.back()["via"], "entrypoint");
    EXPECT_EQ(wgets.back()["outcome"], "refused");
}

void expect_not_started(const Node& node, const Outcome& outcome, const std::string& reason) {
    EXPECT_NE(outcome.exit_code, 0) << outcome.text();
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find(reason), std::string::npos) << outcome.err;
    EXPECT_TRUE(node.nothing_left());
    EXPECT_TRUE(node.events().empty());
}

void expect_untouched(const Node& node, const std::string& config, const std::string& program) {
    EXPECT_NE(config.find(program), std::string::npos) << config;
    EXPECT_EQ(config.find("execseal-hook"), std::string::npos);
    EXPECT_EQ(config.find("listenerPath"), std::string::npos);
    EXPECT_TRUE(node.events().empty());
    EXPECT_FALSE(std::filesystem::exists(node.run_dir()));
}

void expect_execs_judged(const Node& node,
                         const std::function<Outcome(const std::vector<std::string>&)>& exec) {
    const Outcome allowed = exec({"/bin/echo", "from exec"});
    EXPECT_EQ(allowed.exit_code, 0) << allowed.text();
    EXPECT_EQ(allowed.out, "from exec\n") << allowed.text();
    const Outcome child = exec({"/bin/sh", "-c", "/bin/id -u; echo $?"});
    EXPECT_EQ(child.out, "0\n0\n") << "the control: id as a child: " << child.text();
    const Outcome denied = exec({"/bin/id", "-u"});
    EXPECT_NE(denied.exit_code, 0) << denied.text();
    EXPECT_EQ(denied.out.find("0\n"), std::string::npos) << denied.text();
    const auto ids = node.events_of("/bin/id", 2);
    ASSERT_GE(ids.size(), 2U);
    EXPECT_EQ(ids[0]["via"], "child");
    EXPECT_EQ(ids[1]["via"], "exec");
    EXPECT_EQ(ids[1]["rule"], "no-id-by-exec");
}

}  // namespace execseal::e2e
