// JsonNode: a JSON document from outside (json_document.h) -> typed values, strictly, without an
// exception.
//
// A getter that does not find what was expected reports it once to JsonProblems and gives an empty
// value, so a loader reads on and asks at its end whether anything was wrong. It must ask: what it
// read up to then is not to be used otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/json_document.h"
#include "hook/os/result.h"

namespace execseal {

// The first thing wrong with a document; what follows from it is not kept.
class JsonProblems {
  public:
    explicit JsonProblems(std::string origin) : origin_(std::move(origin)) {}

    // "ORIGIN: POINTER: TEXT".
    void report(std::string_view pointer, std::string_view text);
    [[nodiscard]] const std::optional<Error>& first() const { return first_; }

  private:
    std::string origin_;
    std::optional<Error> first_;
};

class JsonObject;

// One value of a document, and where it stands (RFC 6901 pointer). Lives no longer than the
// document and the JsonProblems it was made with.
class JsonNode {
  public:
    enum class Kind { kNull, kBoolean, kNumber, kString, kArray, kObject };

    JsonNode(const nlohmann::ordered_json& value, JsonProblems& problems)
        : JsonNode(value, problems, "") {}

    [[nodiscard]] Kind kind() const;
    [[nodiscard]] const std::string& pointer() const { return pointer_; }
    [[nodiscard]] const nlohmann::ordered_json& json() const { return *value_; }

    // "expected WHAT, got a number".
    void expected(std::string_view what) const;
    // Any other sentence.
    void problem(std::string_view text) const;

    // Each gives an empty value after a problem.
    [[nodiscard]] bool boolean() const;
    [[nodiscard]] std::int64_t integer(std::int64_t least, std::int64_t most) const;
    // Without NUL bytes: no path, argument or name has one.
    [[nodiscard]] std::string string(std::string_view what = "a string") const;
    [[nodiscard]] std::string non_empty_string(std::string_view what = "a non-empty string") const;
    // One of `words`; its index.
    [[nodiscard]] std::size_t choice(std::initializer_list<std::string_view> words) const;
    [[nodiscard]] std::vector<JsonNode> items(std::string_view what = "an array") const;
    [[nodiscard]] std::vector<JsonNode> non_empty_items(
        std::string_view what = "a non-empty array") const;
    // An object whose keys are data.
    [[nodiscard]] std::vector<std::pair<std::string, JsonNode>> members(
        std::string_view what = "an object") const;
    // An object whose keys are ours: any other key is a problem.
    [[nodiscard]] JsonObject object(std::initializer_list<std::string_view> known) const;

  private:
    friend class JsonObject;
    JsonNode(const nlohmann::ordered_json& value, JsonProblems& problems, std::string pointer)
        : value_(&value), problems_(&problems), pointer_(std::move(pointer)) {}

    [[nodiscard]] JsonNode child(const nlohmann::ordered_json& value, std::string_view key) const;

    const nlohmann::ordered_json* value_;
    JsonProblems* problems_;
    std::string pointer_;
};

class JsonObject {
  public:
    [[nodiscard]] std::optional<JsonNode> get(std::string_view key) const;
    // Absence is a problem.
    [[nodiscard]] std::optional<JsonNode> require(std::string_view key) const;

  private:
    friend class JsonNode;
    explicit JsonObject(JsonNode node) : node_(std::move(node)) {}
    JsonNode node_;
};

}  // namespace execseal
