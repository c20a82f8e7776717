// PidnsLister against a real PID namespace, in both ways of listing.
#include "hook/tasks/pidns_lister.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/kernel/child_process.h"
#include "tests/kernel/forked_container.h"

namespace execseal {
namespace {

using test::ForkedContainer;
using test::Inside;
using test::NotifiedCalls;

// As they are inside.
struct Numbers {
    std::atomic<pid_t> child{0};
    std::atomic<pid_t> thread{0};
};

// Its first process has a thread and a child.
int run(Numbers& numbers, const Inside& inside) {
    const pid_t child = fork();
    if (child == 0) {
        (void)inside.hear();
        _exit(0);
    }
    numbers.child = child;
    std::thread([&] {
        numbers.thread = static_cast<pid_t>(syscall(SYS_gettid));
        inside.say('r');
        (void)inside.hear();
    }).join();
    return 0;
}

class PidnsListerKernel : public testing::TestWithParam<ListingWay> {
  protected:
    void SetUp() override {
        ASSERT_EQ(container.hear(), 'r');
        auto opened = PidnsLister::open(container.init());
        ASSERT_TRUE(opened.has_value()) << opened.error().text();
        lister = std::move(*opened);
        if (GetParam() == ListingWay::kOwnProcfs && lister->way() != ListingWay::kOwnProcfs) {
            GTEST_SKIP() << "this kernel translates no numbers (before 6.11)";
        }
        lister->use(GetParam());
    }

    std::vector<ListedTask> listed() {
        std::vector<ListedTask> tasks;
        const auto done = lister->list(tasks);
        EXPECT_TRUE(done.has_value());
        return tasks;
    }
    static bool has(const std::vector<ListedTask>& tasks, Tid tid) {
        return std::any_of(tasks.begin(), tasks.end(),
                           [&](const ListedTask& task) { return task.tid == tid; });
    }
    // In our numbers; nullopt: not listed.
    std::optional<Tid> outside(pid_t inside) {
        for (const ListedTask& task : listed()) {
            if (lister->number_of(task.tid) == inside) {
                return task.tid;
            }
        }
        return std::nullopt;
    }

    Numbers& numbers = test::shared_page<Numbers>();
    ForkedContainer container{NotifiedCalls::kNone,
                              [this](const Inside& inside) { return run(numbers, inside); }};
    std::unique_ptr<PidnsLister> lister;
};

TEST_P(PidnsListerKernel, ListsItsProcessesAndNobodyElse) {
    ChildProcess neighbour([](int) {});
    const std::vector<ListedTask> tasks = listed();
    EXPECT_TRUE(has(tasks, container.init()));
    const auto child = outside(numbers.child);
    ASSERT_TRUE(child.has_value());
    EXPECT_NE(child->value, numbers.child) << "a number of its own namespace";
    EXPECT_TRUE(has(tasks, *child));
    EXPECT_FALSE(has(tasks, neighbour.tid()));
    EXPECT_FALSE(has(tasks, Tid{::getpid()}));
}

TEST_P(PidnsListerKernel, CountsAndListsThreads) {
    const auto tasks = listed();
    const auto leader = std::find_if(tasks.begin(), tasks.end(), [&](const ListedTask& task) {
        return task.tid == container.init();
    });
    ASSERT_NE(leader, tasks.end());
    EXPECT_EQ(lister->count_threads(*leader).value(), 2U);
    std::vector<ListedTask> threads;
    ASSERT_TRUE(lister->list_threads(*leader, threads).has_value());
    EXPECT_TRUE(std::any_of(threads.begin(), threads.end(), [&](const ListedTask& thread) {
        return lister->number_of(thread.tid) == numbers.thread;
    }));
    EXPECT_FALSE(has(threads, Tid{::getpid()}));
}

TEST_P(PidnsListerKernel, WhoHasEndedIsNotFound) {
    const auto child = outside(numbers.child);
    ASSERT_TRUE(child.has_value());
    ASSERT_EQ(::kill(child->value, SIGKILL), 0);
    // The first process does not reap it before its thread ends: it is a zombie until then.
    container.say('x');
    (void)container.wait_end();
    EXPECT_FALSE(lister->find(numbers.child).has_value() &&
                 lister->find(numbers.child)->tid == *child);
    EXPECT_FALSE(lister->number_of(*child).has_value());
}

INSTANTIATE_TEST_SUITE_P(Ways, PidnsListerKernel,
                         testing::Values(ListingWay::kOwnProcfs, ListingWay::kScan),
                         [](const auto& way) {
                             return way.param == ListingWay::kScan ? "Scan" : "OwnProcfs";
                         });

}  // namespace
}  // namespace execseal
