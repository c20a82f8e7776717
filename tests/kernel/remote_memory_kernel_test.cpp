// Pages of a real child: plain, of every protection, secret, behind userfaultfd, gone.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <chrono>
#include <cstring>

#include "hook/os/remote_memory.h"
#include "tests/kernel/child_process.h"

namespace execseal {
namespace {

constexpr std::size_t kPages = 4;

std::uint64_t map_pages(int protection) {
    void* at = ::mmap(nullptr, kPages * kRemotePage, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memset(at, 'm', kPages * kRemotePage);
    (void)::mprotect(at, kPages * kRemotePage, protection);
    return reinterpret_cast<std::uint64_t>(at);
}

ReadResult read_from(Tid tid, std::uint64_t address, std::vector<std::byte>& out) {
    ProcessMemory memory(tid);
    return memory.read(RemoteAddr{address}, out);
}

class PageProtection : public ::testing::TestWithParam<int> {};

TEST_P(PageProtection, DoesNotMatterForReading) {
    ChildProcess child(
        [](int report) { ChildProcess::send(report, map_pages(PageProtection::GetParam())); });
    std::uint64_t address = 0;
    ASSERT_TRUE(child.receive(address));
    std::vector<std::byte> bytes(kPages * kRemotePage);
    const ReadResult result = read_from(child.tid(), address, bytes);
    EXPECT_EQ(result.outcome, ReadOutcome::kComplete);
    EXPECT_EQ(result.bytes, bytes.size());
    EXPECT_EQ(static_cast<char>(bytes.back()), 'm');
}
INSTANTIATE_TEST_SUITE_P(All, PageProtection,
                         ::testing::Values(PROT_READ, PROT_READ | PROT_WRITE, PROT_WRITE,
                                           PROT_EXEC));

TEST(ProcessMemory, AHoleEndsAReadAtItsPage) {
    ChildProcess child([](int report) {
        const std::uint64_t at = map_pages(PROT_READ);
        // NOLINTNEXTLINE(performance-no-int-to-ptr): addresses travel as numbers
        (void)::munmap(reinterpret_cast<void*>(at + 2 * kRemotePage), kRemotePage);
        ChildProcess::send(report, at);
    });
    std::uint64_t address = 0;
    ASSERT_TRUE(child.receive(address));
    std::vector<std::byte> bytes(kPages * kRemotePage);
    const ReadResult result = read_from(child.tid(), address, bytes);
    EXPECT_EQ(result.outcome, ReadOutcome::kUnreadable);
    EXPECT_EQ(result.bytes, 2 * kRemotePage);
}

TEST(ProcessMemory, KernelAddressesAreUnreadable) {
    ChildProcess child([](int report) { ChildProcess::send(report, 1); });
    int ready = 0;
    ASSERT_TRUE(child.receive(ready));
    std::vector<std::byte> bytes(8);
    for (const std::uint64_t address :
         {0xffffffffff600000U, 0xffff800000000000U, 0x7ffffffff000U, ~std::uint64_t{0}, 0UL}) {
        EXPECT_EQ(read_from(child.tid(), address, bytes).outcome, ReadOutcome::kUnreadable);
    }
}

TEST(ProcessMemory, SecretPagesAreUnreadable) {
    ChildProcess child([](int report) {
        std::uint64_t at = 0;
        const long fd = ::syscall(SYS_memfd_secret, 0);
        if (fd >= 0 && ::ftruncate(static_cast<int>(fd), kRemotePage) == 0) {
            void* page = ::mmap(nullptr, kRemotePage, PROT_READ | PROT_WRITE, MAP_SHARED,
                                static_cast<int>(fd), 0);
            if (page != MAP_FAILED) {
                std::memset(page, 's', kRemotePage);
                at = reinterpret_cast<std::uint64_t>(page);
            }
        }
        ChildProcess::send(report, at);
    });
    std::uint64_t address = 0;
    ASSERT_TRUE(child.receive(address));
    if (address == 0) {
        GTEST_SKIP() << "memfd_secret(2) is not enabled in this kernel";
    }
    std::vector<std::byte> bytes(8);
    EXPECT_EQ(read_from(child.tid(), address, bytes).outcome, ReadOutcome::kUnreadable);
}

TEST(ProcessMemory, APageBehindUserfaultfdIsRefusedAtOnce) {
    ChildProcess child([](int report) {
        std::uint64_t at = 0;
        const auto fd = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC));
        uffdio_api api{};
        api.api = UFFD_API;
        void* pages = ::mmap(nullptr, 2 * kRemotePage, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *static_cast<char*>(pages) = 'p';  // the first page is there, the second never comes
        uffdio_register area{};
        area.range.start = reinterpret_cast<std::uint64_t>(pages);
        area.range.len = 2 * kRemotePage;
        area.mode = UFFDIO_REGISTER_MODE_MISSING;
        if (fd >= 0 && ::ioctl(fd, UFFDIO_API, &api) == 0 &&
            ::ioctl(fd, UFFDIO_REGISTER, &area) == 0) {
            at = area.range.start;
        }
        ChildProcess::send(report, at);
    });
    std::uint64_t address = 0;
    ASSERT_TRUE(child.receive(address));
    if (address == 0) {
        GTEST_SKIP() << "userfaultfd(2) is not there";
    }
    std::vector<std::byte> bytes(8);
    EXPECT_EQ(read_from(child.tid(), address, bytes).outcome, ReadOutcome::kComplete);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(read_from(child.tid(), address + kRemotePage, bytes).outcome,
              ReadOutcome::kUnreadable);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(100));
}

TEST(ProcessMemory, ATaskThatEndedIsGone) {
    pid_t pid = 0;
    {
        ChildProcess child([](int report) { ChildProcess::send(report, 1); });
        pid = child.pid();
        int ready = 0;
        ASSERT_TRUE(child.receive(ready));
        // A zombie has no memory any more.
        ProcessMemory before(child.tid());
        (void)::kill(pid, SIGKILL);
        siginfo_t info{};
        ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
        std::vector<std::byte> bytes(8);
        EXPECT_EQ(before.read(RemoteAddr{0x400000}, bytes).outcome, ReadOutcome::kGone);
        EXPECT_NE(read_from(Tid{pid}, 0x400000, bytes).outcome, ReadOutcome::kComplete);
    }
    std::vector<std::byte> bytes(8);
    EXPECT_EQ(read_from(Tid{pid}, 0x400000, bytes).outcome, ReadOutcome::kGone);
}

TEST(StackLimit, IsTheChildsOwn) {
    ChildProcess child([](int report) {
        const rlimit limit{1U << 20U, 1U << 20U};
        (void)::setrlimit(RLIMIT_STACK, &limit);
        ChildProcess::send(report, 1);
    });
    int ready = 0;
    ASSERT_TRUE(child.receive(ready));
    EXPECT_EQ(stack_limit_of(child.tid()), std::uint64_t{1U << 20U});
}

std::uint64_t map_one(int flags, int file) {
    void* at = ::mmap(nullptr, kRemotePage, PROT_READ | PROT_WRITE, flags, file, 0);
    return reinterpret_cast<std::uint64_t>(at);
}

// Whether touched or not: who has written there already says nothing.
TEST(ProcessMemory, TellsPrivatePagesFromSharedOnes) {
    struct Addresses {
        std::array<std::uint64_t, 5> of_private;
        std::array<std::uint64_t, 3> of_shared;
    };
    static char in_data[1] = {'x'};
    ChildProcess child([](int report) {
        char on_stack = 's';
        const UniqueFd file(::memfd_create("file", MFD_CLOEXEC));
        (void)::ftruncate(file.get(), kRemotePage);
        const std::uint64_t touched = map_one(MAP_SHARED | MAP_ANONYMOUS, -1);
        // NOLINTNEXTLINE(performance-no-int-to-ptr): addresses travel as numbers
        *reinterpret_cast<volatile char*>(touched) = 't';
        ChildProcess::send(report,
                           Addresses{{map_pages(PROT_READ), map_one(MAP_PRIVATE, file.get()),
                                      reinterpret_cast<std::uint64_t>(&on_stack),
                                      reinterpret_cast<std::uint64_t>("literal"),
                                      reinterpret_cast<std::uint64_t>(&in_data[0])},
                                     {touched, map_one(MAP_SHARED | MAP_ANONYMOUS, -1),
                                      map_one(MAP_SHARED, file.get())}});
    });
    Addresses there{};
    ASSERT_TRUE(child.receive(there));
    ProcessMemory memory(child.tid());
    std::vector<std::uint64_t> pages;
    for (const std::uint64_t address : there.of_private) {
        pages.push_back(address / kRemotePage);
        EXPECT_TRUE(memory.are_private(std::span(pages).last(1))) << std::hex << address;
    }
    std::sort(pages.begin(), pages.end());
    EXPECT_TRUE(memory.are_private(pages));
    for (const std::uint64_t address : there.of_shared) {
        const std::array page{address / kRemotePage};
        EXPECT_FALSE(memory.are_private(page)) << std::hex << address;
        auto with_others = pages;
        with_others.push_back(page[0]);
        std::sort(with_others.begin(), with_others.end());
        EXPECT_FALSE(memory.are_private(with_others)) << std::hex << address;
    }
    const std::array nowhere{std::uint64_t{1}};
    EXPECT_FALSE(memory.are_private(nowhere)) << "nothing is there";
    EXPECT_FALSE(ProcessMemory(Tid{0x3ffffff}).are_private(pages)) << "nobody is there";
}

TEST(ShareAddressSpace, TellsAForkFromAVfork) {
    ChildProcess forked([](int) {});
    EXPECT_FALSE(share_address_space(forked.tid(), Tid{::getpid()}).value());
    EXPECT_TRUE(share_address_space(Tid{::getpid()}, Tid{::getpid()}).value());
    EXPECT_FALSE(share_address_space(Tid{0x3ffffff}, Tid{::getpid()}).has_value());
}

}  // namespace
}  // namespace execseal
