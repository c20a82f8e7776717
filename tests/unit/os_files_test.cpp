// byte_io, state_dir and spawn: the parts of the kernel seam that need no rights.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "hook/os/byte_io.h"
#include "hook/os/spawn.h"
#include "hook/os/state_dir.h"
#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

using Clock = std::chrono::steady_clock;

class OsFiles : public FolderTest {
  protected:
    static std::string content(const std::string& path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }
};

TEST_F(OsFiles, AStateDirectoryHasOneHolderAtATime) {
    const std::string path = directory_ + "/run/box";
    EXPECT_FALSE(state_dir_is_occupied(path).value());
    auto lock = occupy_state_dir(path);
    ASSERT_TRUE(lock.has_value()) << lock.error().text();
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    EXPECT_TRUE(state_dir_is_occupied(path).value());
    const auto second = occupy_state_dir(path);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, EWOULDBLOCK);
    const auto late = wait_until_state_dir_is_free(path, Clock::now());
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().code, ETIMEDOUT);

    lock->reset();
    EXPECT_FALSE(state_dir_is_occupied(path).value());
    EXPECT_TRUE(
        wait_until_state_dir_is_free(path, Clock::now() + std::chrono::seconds(5)).has_value());
    EXPECT_TRUE(remove_state_dir(path).has_value());
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_TRUE(remove_state_dir(path).has_value()) << "removing twice is fine";
}

TEST_F(OsFiles, AnAppendFileFollowsRotation) {
    const std::string path = directory_ + "/log/audit.jsonl";
    auto file = AppendFile::open(path);
    ASSERT_TRUE(file.has_value()) << file.error().text();
    ASSERT_TRUE(file->append("one\n").has_value());
    std::filesystem::rename(path, path + ".1");
    ASSERT_TRUE(file->append("two\n").has_value());
    EXPECT_EQ(content(path + ".1"), "one\n");
    EXPECT_EQ(content(path), "two\n");
}

TEST_F(OsFiles, ASpawnedProcessHasItsDescriptorsAndNothingElse) {
    auto text = memfd_with("input", "hello\n");
    auto out = make_pipe();
    ASSERT_TRUE(text.has_value() && out.has_value());
    SpawnRequest request;
    request.argv = {"/bin/sh", "-c",
                    "cat; cd /proc/self/fd; echo *; echo $NAME; pwd >/dev/null; readlink "
                    "/proc/self/cwd; exec >&-"};
    request.environment = {"NAME=value"};
    request.fds = {text->get(), out->write.get(), -1};
    ASSERT_TRUE(spawn_detached(request).has_value());
    out->write.reset();
    const auto said = read_all(out->read.get(), 4096);
    ASSERT_TRUE(said.has_value());
    EXPECT_EQ(said->substr(0, 6), "hello\n");
    EXPECT_NE(said->find("0 1 2"), std::string::npos) << *said;
    EXPECT_EQ(said->find(" 4"), std::string::npos) << "leaked a descriptor: " << *said;
    EXPECT_NE(said->find("value\n"), std::string::npos);
}

TEST_F(OsFiles, SpawningWhatIsNotThereIsAnErrorAtOnce) {
    SpawnRequest request;
    request.argv = {directory_ + "/missing"};
    request.fds = {-1, -1, -1};
    const auto started = spawn_detached(request);
    ASSERT_FALSE(started.has_value());
    EXPECT_EQ(started.error().code, ENOENT);
}

TEST_F(OsFiles, ReadLineHasABoundInTime) {
    auto pipe = make_pipe();
    ASSERT_TRUE(pipe.has_value());
    const auto late = read_line(pipe->read.get(), Clock::now());
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().code, ETIMEDOUT);
    ASSERT_TRUE(write_all(pipe->write.get(), "READY\nmore").has_value());
    EXPECT_EQ(read_line(pipe->read.get(), Clock::now() + std::chrono::seconds(5)).value(), "READY");
    pipe->write.reset();
    EXPECT_FALSE(read_line(pipe->read.get(), Clock::now() + std::chrono::seconds(5)).has_value());
}

TEST_F(OsFiles, ReadAllRefusesMoreThanItsLimit) {
    auto text = memfd_with("input", std::string(100, 'x'));
    ASSERT_TRUE(text.has_value());
    EXPECT_FALSE(read_all(text->get(), 99).has_value());
}

}  // namespace
}  // namespace execseal
