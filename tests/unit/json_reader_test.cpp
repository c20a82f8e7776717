#include "config/json_reader.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "execseal_version.h"

namespace execseal {
namespace {

std::string refusal(std::string_view text, const JsonLimits& limits = {}) {
    const auto json = parse_json(text, "f.json", limits);
    return json ? "(accepted)" : json.error().text();
}

// What one read of the document's root reports.
template <class Read>
std::string problem(std::string_view text, Read read) {
    const auto json = parse_json(text, "f.json");
    if (!json) {
        return json.error().text();
    }
    JsonProblems problems("f.json");
    read(JsonNode(json.value(), problems));
    return problems.first() ? problems.first()->text() : "";
}

TEST(ParseJson, KeepsTheOrderOfKeys) {
    const auto json = parse_json(R"({"b": [1, {"c": null}], "a": -2.5})", "f.json");
    ASSERT_TRUE(json.has_value());
    EXPECT_EQ(json.value().dump(), R"({"b":[1,{"c":null}],"a":-2.5})");
}

TEST(ParseJson, RefusesAKeyThatStandsTwiceInOneObject) {
    EXPECT_EQ(refusal(R"({"a": 1, "b": {"x": 1}, "a": 2})"),
              "f.json: /: key \"a\" stands twice in one object");
    EXPECT_EQ(refusal(R"({"r": [1, {"x": {"k": 1, "k": 1}}]})"),
              "f.json: /r/1/x: key \"k\" stands twice in one object");
    EXPECT_EQ(refusal(R"([{"a": 1}, {"a": 1}])"), "(accepted)");
}

TEST(ParseJson, SaysTheLineOfASyntaxError) {
    EXPECT_EQ(refusal("{\n  \"a\": 1,\n  oops\n}").find("f.json: line 3, column 3: "), 0U);
}

TEST(ParseJson, RefusesWhatIsNotPlainJson) {
    for (const std::string_view text :
         {"", "{} {}", "// note\n{}", "{\"a\": 1,}", "\"\xff\"", "[1e999]", "nul", "{\"a\"}"}) {
        EXPECT_NE(refusal(text), "(accepted)") << text;
    }
}

TEST(ParseJson, HoldsItsLimits) {
    const std::string deep = std::string(40, '[') + std::string(40, ']');
    EXPECT_EQ(refusal(deep), "f.json: expected at most 32 nested arrays and objects");
    EXPECT_EQ(refusal(std::string(32, '[') + std::string(32, ']')), "(accepted)");
    EXPECT_EQ(refusal("[1, 2, 3]", JsonLimits{.values = 3}), "f.json: expected at most 3 values");
    EXPECT_EQ(refusal("[1, 2]", JsonLimits{.values = 3}), "(accepted)");
    EXPECT_EQ(refusal("[1, 2]", JsonLimits{.bytes = 5}),
              "f.json: expected at most 5 bytes of JSON");
    // A parser that recurses would end here.
    EXPECT_NE(refusal(std::string(1'000'000, '[')), "(accepted)");
}

TEST(LoadJson, TellsAnAbsentFileFromABadOne) {
    const auto absent = load_json("/nonexistent/x.json");
    ASSERT_FALSE(absent.has_value());
    EXPECT_EQ(absent.error().code, ENOENT);
    const auto device = load_json("/dev/zero");
    ASSERT_FALSE(device.has_value());
    EXPECT_EQ(device.error().text(), "/dev/zero: expected a regular file");
}

TEST(JsonNode, NamesThePlaceTheExpectationAndWhatWasThere) {
    const auto read = [](const JsonNode& root) {
        const auto rules = root.object({"rules"}).require("rules");
        for (const JsonNode& rule : rules->items()) {
            const auto argv = rule.object({"argv"}).get("argv");
            (void)argv->object({"prefix"})
                .get("prefix")
                ->non_empty_items("a non-empty array of strings");
        }
    };
    EXPECT_EQ(problem(R"({"rules": [{"argv": {"prefix": ["a"]}}, {"argv": {"prefix": 7}}]})", read),
              "f.json: /rules/1/argv/prefix: expected a non-empty array of strings, got a number "
              "(7)");
    EXPECT_EQ(problem(R"({"rules": [{"argv": {"prefix": []}}]})", read),
              "f.json: /rules/0/argv/prefix: expected a non-empty array of strings, got an empty "
              "array");
    EXPECT_EQ(problem(R"({"rules": [{"argv": {"prefix": ["x"]}}]})", read), "");
}

TEST(JsonNode, RefusesUnknownAndMissingKeys) {
    const auto read = [](const JsonNode& root) {
        const JsonObject object = root.object({"name", "errno"});
        (void)object.require("name");
    };
    EXPECT_EQ(
        problem(R"({"name": 1, "a/b~": 1})", read),
        std::string("f.json: /a~1b~0: unknown key, expected name or errno; this is execseal ") +
            kVersion);
    EXPECT_EQ(problem(R"({"errno": 1})", read), "f.json: /: expected a key \"name\"");
    EXPECT_EQ(problem(R"([])", read), "f.json: /: expected an object, got an empty array");
    EXPECT_EQ(problem(R"({"name": 1})", read), "");
}

TEST(JsonNode, ChecksTypesAndRanges) {
    const auto integer = [](const JsonNode& node) { (void)node.integer(0, 10); };
    EXPECT_EQ(problem("10", integer), "");
    EXPECT_EQ(problem("11", integer),
              "f.json: /: expected an integer from 0 to 10, got a number (11)");
    EXPECT_NE(problem("-1", integer), "");
    EXPECT_NE(problem("1.0", integer), "");
    EXPECT_NE(problem("18446744073709551615", integer), "");
    EXPECT_NE(problem("\"1\"", integer), "");

    EXPECT_NE(problem("0", [](const JsonNode& node) { (void)node.boolean(); }), "");
    EXPECT_NE(problem("null", [](const JsonNode& node) { (void)node.string(); }), "");
    EXPECT_NE(problem("\"\"", [](const JsonNode& node) { (void)node.non_empty_string(); }), "");
    EXPECT_EQ(problem(R"("a\u0000b")", [](const JsonNode& node) { (void)node.string(); }),
              "f.json: /: expected a string without NUL characters");
    EXPECT_EQ(problem("\"x\"",
                      [](const JsonNode& node) {
                          (void)node.choice({"a", "b", "c"});
                      }),
              "f.json: /: expected \"a\", \"b\" or \"c\", got \"x\"");
}

TEST(JsonNode, KeepsTheFirstProblemOnly) {
    EXPECT_EQ(problem(R"({"a": 1, "b": 2})",
                      [](const JsonNode& root) {
                          const JsonObject object = root.object({"a", "b"});
                          (void)object.get("a")->string();
                          (void)object.get("b")->string();
                      }),
              "f.json: /a: expected a string, got a number (1)");
}

}  // namespace
}  // namespace execseal
