#include "hook/launch/launch_document.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace execseal {
namespace {

LaunchDocument full_document() {
    LaunchDocument document;
    document.plan.container_id = "web";
    document.plan.bundle = "/run/bundle";
    document.plan.policy = {"demo", "/etc/demo.json", "00ff"};
    document.settings_path = "/etc/execseal/config.json";
    document.terms.arrival = std::chrono::milliseconds(120'000);
    document.terms.cgroup = "/sys/fs/cgroup/execseal";
    document.terms.recover_from = 4711;
    return document;
}

TEST(LaunchDocument, IsReadAsItWasWritten) {
    const LaunchDocument written = full_document();
    const auto read = parse_launch_document(launch_document_text(written));
    ASSERT_TRUE(read.has_value()) << read.error().text();
    EXPECT_EQ(read->plan, written.plan);
    EXPECT_EQ(read->settings_path, written.settings_path);
    EXPECT_EQ(read->terms.arrival, written.terms.arrival);
    EXPECT_EQ(read->terms.cgroup, written.terms.cgroup);
    EXPECT_EQ(read->terms.recover_from, written.terms.recover_from);
    EXPECT_EQ(read->terms.creator, 0);  // comes as a pidfd
}

TEST(LaunchDocument, ALauncherNeedNotSetAnyTerm) {
    LaunchDocument written = full_document();
    written.terms = {};
    const auto read = parse_launch_document(launch_document_text(written));
    ASSERT_TRUE(read.has_value()) << read.error().text();
    EXPECT_FALSE(read->terms.arrival.has_value());
    EXPECT_EQ(read->terms.cgroup, "");
    EXPECT_EQ(read->terms.recover_from, 0);
}

TEST(LaunchDocument, AWrongMemberIsNamed) {
    const auto good = nlohmann::ordered_json::parse(launch_document_text(full_document()));
    for (const auto& [member, value] :
         std::vector<std::pair<std::string, nlohmann::ordered_json>>{{"settings", 3},
                                                                     {"arrival_ms", -1},
                                                                     {"arrival_ms", "soon"},
                                                                     {"cgroup", true},
                                                                     {"recover_from", "init"},
                                                                     {"plan", "web"},
                                                                     {"grown", 1}}) {
        nlohmann::ordered_json damaged = good;
        damaged[member] = value;
        const auto read = parse_launch_document(damaged.dump());
        ASSERT_FALSE(read.has_value()) << member;
        EXPECT_EQ(read.error().text().find("launch document: /" + member), 0U)
            << read.error().text();
    }
    for (const char* member : {"plan", "settings"}) {
        nlohmann::ordered_json damaged = good;
        damaged.erase(member);
        EXPECT_FALSE(parse_launch_document(damaged.dump()).has_value()) << member;
    }
    EXPECT_FALSE(parse_launch_document("[]").has_value());
    EXPECT_FALSE(parse_launch_document("{").has_value());
}

}  // namespace
}  // namespace execseal
