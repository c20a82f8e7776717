#include "config/json_document.h"

#include <nlohmann/json.hpp>
#include <unordered_set>

#include "hook/os/file_read.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

// Instead of nlohmann's own tree builder, because that one keeps the last of two equal keys without
// a word, and recurses as deep as the text wants.
class StrictBuilder final : public nlohmann::json_sax<Json> {
  public:
    explicit StrictBuilder(const JsonLimits& limits) : limits_(limits) {}

    bool null() override { return add(Json(nullptr)) != nullptr; }
    bool boolean(bool value) override { return add(Json(value)) != nullptr; }
    bool number_integer(number_integer_t value) override { return add(Json(value)) != nullptr; }
    bool number_unsigned(number_unsigned_t value) override { return add(Json(value)) != nullptr; }
    bool number_float(number_float_t value, const string_t& /*text*/) override {
        return add(Json(value)) != nullptr;
    }
    bool string(string_t& value) override { return add(Json(std::move(value))) != nullptr; }
    bool binary(binary_t& /*value*/) override { return refuse("expected text"); }
    bool start_object(std::size_t /*size*/) override { return open(Json(Json::value_t::object)); }
    bool start_array(std::size_t /*size*/) override { return open(Json(Json::value_t::array)); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& name) override {
        if (!open_.back().keys.insert(name).second) {
            return refuse(pointer() + ": key \"" + name + "\" stands twice in one object");
        }
        open_.back().key = std::move(name);
        return true;
    }

    bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                     const Json::exception& error) override {
        // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..."
        const std::string text = error.what();
        const std::size_t line = text.find("line ");
        const std::size_t bracket = text.find("] ");
        if (line != std::string::npos) {
            return refuse(text.substr(line));
        }
        return refuse(bracket == std::string::npos ? text : text.substr(bracket + 2));
    }

    Json take_document() { return std::move(document_); }
    [[nodiscard]] const std::string& problem() const { return problem_; }

  private:
    struct Level {
        Json* value = nullptr;
        std::string key;
        std::unordered_set<std::string> keys;
    };

    bool refuse(std::string text) {
        if (problem_.empty()) {
            problem_ = std::move(text);
        }
        return false;
    }

    [[nodiscard]] std::string pointer() const {
        std::string text;
        for (std::size_t i = 0; i + 1 < open_.size(); ++i) {
            const Level& level = open_[i];
            text += '/';
            text += level.value->is_array() ? std::to_string(level.value->size() - 1) : level.key;
        }
        return text.empty() ? "/" : text;
    }

    // The place of the value in the document; only the last child of a level is ever pointed at, so
    // growing a parent never moves what is open.
    Json* add(Json value) {
        if (++values_ > limits_.values) {
            refuse("expected at most " + std::to_string(limits_.values) + " values");
            return nullptr;
        }
        if (open_.empty()) {
            document_ = std::move(value);
            return &document_;
        }
        Level& level = open_.back();
        if (level.value->is_array()) {
            level.value->push_back(std::move(value));
            return &level.value->back();
        }
        // Not emplace(): it searches the keys that `keys` already vouches for, O(n) each.
        auto& members = level.value->get_ref<Json::object_t&>();
        members.Json::object_t::Container::emplace_back(level.key, std::move(value));
        return &members.back().second;
    }

    bool open(Json value) {
        if (open_.size() >= limits_.depth) {
            return refuse("expected at most " + std::to_string(limits_.depth) +
                          " nested arrays and objects");
        }
        Json* const place = add(std::move(value));
        if (place == nullptr) {
            return false;
        }
        open_.push_back(Level{place, {}, {}});
        return true;
    }

    bool close() {
        open_.pop_back();
        return true;
    }

    const JsonLimits& limits_;
    Json document_;
    std::vector<Level> open_;
    std::size_t values_ = 0;
    std::string problem_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& origin,
                        const JsonLimits& limits) {
    if (text.size() > limits.bytes) {
        return make_error(origin + ": expected at most " + std::to_string(limits.bytes) +
                          " bytes of JSON");
    }
    StrictBuilder builder(limits);
    if (!Json::sax_parse(text, &builder) || !builder.problem().empty()) {
        return make_error(origin + ": " + builder.problem());
    }
    return builder.take_document();
}

Result<Json> load_json(const std::string& path, const JsonLimits& limits) {
    const Result<std::string> text = read_file(path, limits.bytes);
    if (!text) {
        return text.error();
    }
    return parse_json(text.value(), path, limits);
}

}  // namespace execseal
