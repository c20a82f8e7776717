// The shipped JSON Schema and the loader say the same about a corpus of policies, but for what a
// schema cannot express; those files are marked "loader" in tests/data/policies/bad/expected.tsv.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "config/policy.h"

namespace execseal {
namespace {

const std::filesystem::path kSource = EXECSEAL_SOURCE_DIR;
const std::filesystem::path kCorpus = kSource / "tests/data/policies";

std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    EXPECT_TRUE(file.good()) << path;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<std::filesystem::path> json_files(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        if (entry.path().extension() == ".json") {
            files.push_back(entry.path());
        }
    }
    return files;
}

class PolicySchema : public testing::Test {
  protected:
    PolicySchema() {
        const auto document =
            nlohmann::json::parse(text_of(kSource / "config/execseal-policy.schema.json"));
        valijson::SchemaParser parser;
        parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(document), schema_);
    }

    bool accepts(const std::filesystem::path& path) const {
        const auto document = nlohmann::json::parse(text_of(path), nullptr, false);
        if (document.is_discarded()) {
            return false;
        }
        valijson::Validator validator;
        valijson::ValidationResults results;
        return validator.validate(schema_, valijson::adapters::NlohmannJsonAdapter(document),
                                  &results);
    }

  private:
    valijson::Schema schema_;
};

TEST_F(PolicySchema, AndTheLoaderAcceptEveryGoodPolicy) {
    const auto files = json_files(kCorpus / "good");
    EXPECT_GT(files.size(), 8U);
    for (const auto& path : files) {
        const auto policy = Policy::load(path);
        EXPECT_TRUE(policy.has_value()) << policy.error().text();
        EXPECT_TRUE(accepts(path)) << path;
    }
}

TEST_F(PolicySchema, AndTheLoaderAcceptEveryShippedPolicy) {
    for (const auto& path : json_files(kSource / "config/policies")) {
        const auto policy = Policy::load(path);
        ASSERT_TRUE(policy.has_value()) << policy.error().text();
        EXPECT_TRUE(accepts(path)) << path;
        EXPECT_EQ(policy->name(), path.stem()) << path;
    }
}

TEST_F(PolicySchema, AndTheLoaderRefuseEveryBadPolicyForItsReason) {
    struct Expectation {
        bool both = false;
        std::string error;
    };
    std::map<std::string, Expectation> expected;
    std::istringstream table(text_of(kCorpus / "bad/expected.tsv"));
    for (std::string line; std::getline(table, line);) {
        if (line.starts_with('#')) {
            continue;
        }
        std::istringstream fields(line);
        std::string file;
        std::string who;
        std::string error;
        std::getline(fields, file, '\t');
        std::getline(fields, who, '\t');
        std::getline(fields, error);
        expected[file] = {who == "both", error};
    }
    std::size_t seen = 0;
    for (const auto& path : json_files(kCorpus / "bad")) {
        const auto found = expected.find(path.filename());
        ASSERT_NE(found, expected.end()) << path << " is not in expected.tsv";
        ++seen;
        const auto policy = Policy::load(path);
        ASSERT_FALSE(policy.has_value()) << path;
        const std::string error = policy.error().text();
        EXPECT_EQ(error.find(path.string() + ": " + found->second.error), 0U) << error;
        EXPECT_EQ(error.find('\n'), std::string::npos) << error;
        // A file that is no JSON, or has a key twice, never reaches a schema.
        if (found->second.both) {
            EXPECT_FALSE(accepts(path)) << path;
        } else if (nlohmann::json::accept(text_of(path))) {
            EXPECT_TRUE(accepts(path)) << path << ": the schema can say it: mark it \"both\"";
        }
    }
    EXPECT_EQ(seen, expected.size());
}

}  // namespace
}  // namespace execseal
