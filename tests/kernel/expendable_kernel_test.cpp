// Expendable processes: replies with descriptors, deadlines on a hung FUSE page, no leaks.
#include "hook/os/expendable.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstring>
#include <set>

#include "hook/os/remote_memory.h"
#include "tests/kernel/child_process.h"
#include "tests/kernel/silent_fuse.h"

namespace execseal {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kRoom = 1U << 16U;

std::span<const std::byte> bytes_of(const auto& value) {
    return std::as_bytes(std::span(&value, 1));
}

auto soon() {
    return std::chrono::steady_clock::now() + 10s;
}

std::size_t echo(std::span<const std::byte> job, std::span<std::byte> room,
                 std::vector<UniqueFd>& /*fds*/) {
    std::memcpy(room.data(), job.data(), job.size());
    return job.size();
}

struct Target {
    pid_t pid = 0;
    std::uint64_t address = 0;
};

// Reads one page of the target and says what came of it.
std::size_t read_page(std::span<const std::byte> job, std::span<std::byte> room,
                      std::vector<UniqueFd>& /*fds*/) {
    Target target;
    std::memcpy(&target, job.data(), sizeof target);
    ProcessMemory memory(Tid{target.pid});
    const ReadResult result = memory.read(RemoteAddr{target.address}, room.first(16));
    std::memcpy(room.data(), &result.outcome, sizeof result.outcome);
    return sizeof result.outcome;
}

TEST(Expendable, AnswersJobAfterJob) {
    auto process = Expendable::start(echo, kRoom);
    ASSERT_TRUE(process.has_value());
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(process->begin(bytes_of(i)).has_value());
        ASSERT_EQ(process->wait(soon()), ReplyState::kReady);
        ASSERT_EQ(process->reply().size(), sizeof i);
        EXPECT_EQ(std::memcmp(process->reply().data(), &i, sizeof i), 0);
    }
}

TEST(Expendable, HoldsNoneOfOurDescriptors) {
    // NOLINTNEXTLINE(android-cloexec-open): an inheritable one is the worst case
    const UniqueFd ours(::open("/", O_PATH | O_DIRECTORY));
    auto process = Expendable::start(echo, kRoom);
    ASSERT_TRUE(process.has_value());
    const int job = 1;
    ASSERT_TRUE(process->begin(bytes_of(job)).has_value());
    ASSERT_EQ(process->wait(soon()), ReplyState::kReady);
    const std::string directory = "/proc/" + std::to_string(process->pid()) + "/fd";
    DIR* listing = ::opendir(directory.c_str());
    ASSERT_NE(listing, nullptr);
    std::multiset<std::string> targets;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread reads this listing
    while (const dirent* entry = ::readdir(listing)) {
        char target[64] = {};
        if (::readlink((directory + "/" + entry->d_name).c_str(), target, sizeof target - 1) > 0) {
            targets.insert(std::string(target).substr(0, 7));
        }
    }
    (void)::closedir(listing);
    EXPECT_EQ(targets, (std::multiset<std::string>{"/dev/nu", "/dev/nu", "/dev/nu", "socket:"}));
}

TEST(Expendable, HandsDescriptorsOver) {
    auto process = Expendable::start(
        [](auto /*job*/, auto /*room*/, std::vector<UniqueFd>& fds) -> std::size_t {
            fds.emplace_back(::open("/proc", O_PATH | O_CLOEXEC));
            fds.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
            return 0;
        },
        kRoom);
    ASSERT_TRUE(process.has_value());
    const int job = 1;
    ASSERT_TRUE(process->begin(bytes_of(job)).has_value());
    ASSERT_EQ(process->wait(soon()), ReplyState::kReady);
    const std::vector<UniqueFd> fds = process->take_fds();
    ASSERT_EQ(fds.size(), 2U);
    struct stat status {};
    ASSERT_EQ(::fstat(fds[1].get(), &status), 0);
    EXPECT_TRUE(S_ISCHR(status.st_mode));
    EXPECT_NE(::fcntl(fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Expendable, ADeadOneIsLostNotPending) {
    auto process = Expendable::start(
        [](auto /*job*/, auto /*room*/, auto& /*fds*/) -> std::size_t { ::_exit(3); }, kRoom);
    ASSERT_TRUE(process.has_value());
    const int job = 1;
    ASSERT_TRUE(process->begin(bytes_of(job)).has_value());
    EXPECT_EQ(process->wait(soon()), ReplyState::kLost);
}

TEST(Expendable, EndsWithItsParent) {
    ChildProcess parent([](int report) {
        static auto process = Expendable::start(echo, kRoom);
        const int job = 1;
        (void)process->begin(bytes_of(job));
        (void)process->wait(soon());
        ChildProcess::send(report, process->pid());
    });
    pid_t reader = 0;
    ASSERT_TRUE(parent.receive(reader));
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, reader, 0)));
    ASSERT_TRUE(pidfd.valid());
    parent.end();
    pollfd entry{pidfd.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, 10000), 1);
}

TEST(Expendable, APageOfASilentFuseFileIsPendingAtTheDeadlineAndTheNextJobIsServed) {
    SilentFuse fuse;
    if (!fuse.ready()) {
        GTEST_SKIP() << "FUSE cannot be mounted here";
    }
    ChildProcess child([&](int report) {
        Target target{::getpid(), 0};
        const int file = ::open(fuse.file().c_str(), O_RDONLY | O_CLOEXEC);
        void* page = ::mmap(nullptr, kRemotePage, PROT_READ, MAP_SHARED, file, 0);
        target.address = page == MAP_FAILED ? 0 : reinterpret_cast<std::uint64_t>(page);
        ChildProcess::send(report, target);
        target.address = reinterpret_cast<std::uint64_t>("a page that is there");
        ChildProcess::send(report, target);
    });
    Target silent;
    Target there;
    ASSERT_TRUE(child.receive(silent) && child.receive(there));
    ASSERT_NE(silent.address, 0U);
    {
        auto process = Expendable::start(read_page, kRoom);
        ASSERT_TRUE(process.has_value());
        ASSERT_TRUE(process->begin(bytes_of(there)).has_value());
        ASSERT_EQ(process->wait(soon()), ReplyState::kReady);
        EXPECT_EQ(*reinterpret_cast<const ReadOutcome*>(process->reply().data()),
                  ReadOutcome::kComplete);

        const auto start = std::chrono::steady_clock::now();
        ASSERT_TRUE(process->begin(bytes_of(silent)).has_value());
        EXPECT_EQ(process->wait(start + 50ms), ReplyState::kPending);
        const auto took = std::chrono::steady_clock::now() - start;
        EXPECT_GE(took, 50ms);
        EXPECT_LT(took, 1s);
        EXPECT_TRUE(process->busy());
    }
    auto fresh = Expendable::start(read_page, kRoom);
    ASSERT_TRUE(fresh.has_value());
    ASSERT_TRUE(fresh->begin(bytes_of(there)).has_value());
    EXPECT_EQ(fresh->wait(soon()), ReplyState::kReady);
}

}  // namespace
}  // namespace execseal
