#include "runtime-shim/error_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace execseal {
namespace {

constexpr const char* kTime = "2026-01-31T23:59:59.123456Z";

TEST(ErrorReport, WritesRuncsJsonLine) {
    const std::string line = log_line(LogFormat::kJson, "no \"policy\"\n\xff", kTime);
    ASSERT_TRUE(line.ends_with("}\n"));
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["level"], "error");
    EXPECT_EQ(json["msg"], "no \"policy\"\n\xEF\xBF\xBD");
    EXPECT_EQ(json["time"], kTime);
}

TEST(ErrorReport, WritesRuncsTextLine) {
    EXPECT_EQ(log_line(LogFormat::kText, "no \"policy\"", kTime),
              std::string("time=\"") + kTime + "\" level=error msg=\"no \\\"policy\\\"\"\n");
}

}  // namespace
}  // namespace execseal
