#include "config/spec/spec_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "hook/os/file_replace.h"
#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

class SpecFileTest : public FolderTest {
  protected:
    void SetUp() override { path_ = directory_ + "/config.json"; }
    void put(const std::string& text) const { std::ofstream(path_) << text; }
    [[nodiscard]] std::string content() const {
        std::ifstream file(path_);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    [[nodiscard]] std::size_t entries() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
    }
    [[nodiscard]] std::string problem() const {
        const auto file = SpecFile::open(path_);
        if (!file) {
            return file.error().text();
        }
        const auto spec = file->parse();
        return spec ? "" : spec.error().text();
    }

    std::string path_;
};

TEST_F(SpecFileTest, WritesByRenameAndKeepsOwnerAndMode) {
    put(R"({"a":1})");
    ASSERT_EQ(::chmod(path_.c_str(), 0604), 0);
    const bool root = ::geteuid() == 0;
    if (root) {
        ASSERT_EQ(::chown(path_.c_str(), 1234, 2345), 0);
    }
    struct stat before {};
    ASSERT_EQ(::stat(path_.c_str(), &before), 0);

    auto file = SpecFile::open(path_);
    ASSERT_TRUE(file.has_value()) << file.error().text();
    ASSERT_TRUE(file->write(Json{{"a", 2}}).has_value());

    EXPECT_EQ(content(), R"({"a":2})");
    EXPECT_EQ(entries(), 1U);
    struct stat after {};
    ASSERT_EQ(::stat(path_.c_str(), &after), 0);
    EXPECT_NE(after.st_ino, before.st_ino);
    EXPECT_EQ(after.st_mode, before.st_mode);
    EXPECT_EQ(after.st_uid, before.st_uid);
    EXPECT_EQ(after.st_gid, before.st_gid);
}

TEST_F(SpecFileTest, RestorePutsTheOldBytesBack) {
    const std::string text = "{ \"a\" : 1,\n \"b\": [1 , 2] }\n";
    put(text);
    auto file = SpecFile::open(path_);
    ASSERT_TRUE(file.has_value());
    ASSERT_TRUE(file->restore().has_value());  // nothing to restore yet
    ASSERT_TRUE(file->write(Json{{"a", 2}}).has_value());
    ASSERT_NE(content(), text);
    ASSERT_TRUE(file->restore().has_value());
    EXPECT_EQ(content(), text);
}

TEST_F(SpecFileTest, AnEqualSpecIsNotWritten) {
    put(R"({"a":1})");
    struct stat before {};
    ASSERT_EQ(::stat(path_.c_str(), &before), 0);
    auto file = SpecFile::open(path_);
    ASSERT_TRUE(file.has_value());
    ASSERT_TRUE(file->write(*file->parse()).has_value());
    struct stat after {};
    ASSERT_EQ(::stat(path_.c_str(), &after), 0);
    EXPECT_EQ(after.st_ino, before.st_ino);
}

TEST_F(SpecFileTest, ASymlinkStaysOneAndItsFileIsReplaced) {
    const std::string real = directory_ + "/real.json";
    std::ofstream(real) << R"({"a":1})";
    fs::create_symlink("real.json", path_);
    auto file = SpecFile::open(path_);
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ(file->path(), real);
    ASSERT_TRUE(file->write(Json{{"a", 2}}).has_value());
    EXPECT_TRUE(fs::is_symlink(path_));
    EXPECT_EQ(content(), R"({"a":2})");
}

TEST_F(SpecFileTest, BadFilesAreNamedWithWhatIsWrong) {
    EXPECT_NE(problem().find(path_ + ": No such file"), std::string::npos);
    put("");
    EXPECT_NE(problem().find(path_), std::string::npos);
    put("{\"a\":}");
    EXPECT_NE(problem().find("line 1, column 6"), std::string::npos) << problem();
    put(R"({"linux":{"seccomp":1,"seccomp":2}})");
    EXPECT_NE(problem().find("seccomp"), std::string::npos) << problem();
    put("{\"a\":\"\xff\"}");
    EXPECT_NE(problem().find(path_), std::string::npos);
    put(std::string(100000, '['));
    EXPECT_NE(problem().find(path_), std::string::npos);
    put("{\"a\":\"" + std::string(kSpecLimit, 'x') + "\"}");
    EXPECT_NE(problem().find("at most"), std::string::npos) << problem();
    fs::remove(path_);
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    EXPECT_NE(problem().find("regular file"), std::string::npos);
    fs::remove(path_);
    fs::create_directory(path_);
    EXPECT_NE(problem().find(path_), std::string::npos);
}

TEST_F(SpecFileTest, AFailedReplacementLeavesTheOldFileAndNoOther) {
    put("old");
    // The name of the temporary file is taken.
    const std::string taken = path_ + ".execseal-" + std::to_string(::getpid());
    fs::create_symlink("/etc/passwd", taken);
    const auto replaced = replace_file(path_, "new");
    ASSERT_FALSE(replaced.has_value());
    EXPECT_EQ(replaced.error().code, EEXIST);
    EXPECT_EQ(content(), "old");
    EXPECT_EQ(replace_file(directory_ + "/absent", "x").error().code, ENOENT);
    EXPECT_FALSE(replace_file(directory_, "x").has_value());
}

}  // namespace
}  // namespace execseal
