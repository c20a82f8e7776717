// FileFollow: nothing that is appended is lost or seen twice, whatever logrotate does.
#include "hook/os/file_follow.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <stdexcept>
#include <vector>

#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

class FileFollowTest : public FolderTest {
  protected:
    [[nodiscard]] std::string path() const { return directory_ + "/audit.jsonl"; }
    void append(const std::string& text) const { std::ofstream(path(), std::ios::app) << text; }
    [[nodiscard]] FileFollow follow() const {
        auto file = FileFollow::open(path());
        EXPECT_TRUE(file.has_value());
        return std::move(file).value();
    }
    static std::string all(FileFollow& file) {
        std::string text;
        for (;;) {
            const auto bytes = file.read_some();
            EXPECT_TRUE(bytes.has_value()) << bytes.error().text();
            if (!bytes || bytes->empty()) {
                return text;
            }
            text += *bytes;
        }
    }
};

TEST_F(FileFollowTest, ReadsWhatIsThereAndWhatIsAppended) {
    append("a\n");
    FileFollow file = follow();
    EXPECT_EQ(all(file), "a\n");
    EXPECT_EQ(all(file), "");
    append("b\n");
    EXPECT_EQ(all(file), "b\n");
}

TEST_F(FileFollowTest, AFileOfManyChunksComesWhole) {
    const std::string big(300'000, 'x');
    append(big);
    FileFollow file = follow();
    EXPECT_EQ(all(file), big);
}

TEST_F(FileFollowTest, ReadsLinesFromTheEndAndGoesOnBehindThem) {
    const std::string big(300'000, 'x');
    append("first\n\n" + big + "\nlast\nhalf");
    const auto backwards = [](FileFollow& file, std::size_t count) {
        std::vector<std::string> lines;
        const auto read = file.read_backwards([&](std::string_view line) {
            lines.emplace_back(line);
            return lines.size() < count;
        });
        EXPECT_TRUE(read.has_value());
        return lines;
    };
    using Lines = std::vector<std::string>;
    for (const std::size_t count : {1U, 2U, 3U, 4U, 100U}) {
        FileFollow file = follow();
        Lines expected{"last", big, "", "first"};
        expected.resize(std::min<std::size_t>(count, 4));
        EXPECT_EQ(backwards(file, count), expected) << count;
        EXPECT_EQ(all(file), "half") << count;
    }
    FileFollow file = follow();
    (void)backwards(file, 1);
    append(" a line\n");
    EXPECT_EQ(all(file), "half a line\n");
}

TEST_F(FileFollowTest, ReadsNoLineFromTheEndWhereThereIsNone) {
    const auto none = [](std::string_view) -> bool { throw std::logic_error("a line"); };
    FileFollow file = follow();
    EXPECT_TRUE(file.read_backwards(none).has_value()) << "no file";
    append("half");
    EXPECT_TRUE(file.read_backwards(none).has_value());
    EXPECT_EQ(all(file), "half");
    std::ofstream(path() + ".one") << "one\n";
    auto one = FileFollow::open(path() + ".one");
    ASSERT_TRUE(one.has_value());
    std::string line;
    EXPECT_TRUE(one->read_backwards([&](std::string_view text) {
                       line = text;
                       return true;
                   })
                    .has_value());
    EXPECT_EQ(line, "one");
}

TEST_F(FileFollowTest, WaitsForAFileThatIsNotThereYet) {
    FileFollow file = follow();
    EXPECT_EQ(all(file), "");
    append("first\n");
    EXPECT_TRUE(file.wait().has_value());
    EXPECT_EQ(all(file), "first\n");
}

TEST_F(FileFollowTest, ReadsARotatedFileToItsEndThenTheNewOne) {
    append("a\n");
    FileFollow file = follow();
    EXPECT_EQ(all(file), "a\n");
    append("b\n");
    std::filesystem::rename(path(), path() + ".1");
    append("c\n");
    EXPECT_EQ(all(file), "b\nc\n");
    // Between rename and create there is no file for a while.
    std::filesystem::rename(path(), path() + ".2");
    EXPECT_EQ(all(file), "");
    append("d\n");
    EXPECT_EQ(all(file), "d\n");
}

TEST_F(FileFollowTest, StartsAnewInATruncatedFile) {
    append("aaaa\n");
    FileFollow file = follow();
    EXPECT_EQ(all(file), "aaaa\n");
    std::filesystem::resize_file(path(), 0);
    EXPECT_EQ(all(file), "");
    append("b\n");
    EXPECT_EQ(all(file), "b\n");
}

TEST_F(FileFollowTest, WaitBlocksUntilSomethingIsWritten) {
    append("a\n");
    FileFollow file = follow();
    EXPECT_EQ(all(file), "a\n");
    auto waiting = std::async(std::launch::async, [&file] { return file.wait().has_value(); });
    append("b\n");
    EXPECT_TRUE(waiting.get());
    EXPECT_EQ(all(file), "b\n");
}

TEST_F(FileFollowTest, RefusesADirectoryThatIsNotThereAndWhatIsNoFile) {
    EXPECT_EQ(FileFollow::open(directory_ + "/none/x").error().code, ENOENT);
    std::filesystem::create_directory(path());
    FileFollow file = follow();
    const auto bytes = file.read_some();
    ASSERT_FALSE(bytes.has_value());
    EXPECT_NE(bytes.error().text().find("expected a regular file"), std::string::npos);
}

}  // namespace
}  // namespace execseal
