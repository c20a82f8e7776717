#include "hook/tasks/task_table.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace execseal {
namespace {

using namespace std::chrono_literals;
using Clock = TaskTable::Clock;

struct FakeTask {
    std::uint64_t birth = 0;
    pid_t parent = 0;
    char state = 'S';
};

class FakeProcfs final : public Procfs {
  public:
    Result<std::optional<TaskStat>> stat(Tid tid) override {
        ++reads;
        if (fails) {
            return Error{EMFILE, "pidfd_open"};
        }
        const auto found = tasks.find(tid.value);
        if (found == tasks.end()) {
            return std::optional<TaskStat>();
        }
        const FakeTask& task = found->second;
        return std::optional(TaskStat{task.state, Tgid{task.parent}, task.birth});
    }
    Result<std::optional<TaskStatus>> status(Tid tid) override {
        const auto found = tasks.find(tid.value);
        if (found == tasks.end()) {
            return std::optional<TaskStatus>();
        }
        TaskStatus status;
        status.state = found->second.state;
        status.tgid = Tgid{tid.value};
        status.namespace_ids = {tid.value, tid.value - 100};
        return std::optional(std::move(status));
    }
    Result<std::optional<NamespaceId>> pid_namespace(Tid /*tid*/) override {
        return std::optional(NamespaceId{});
    }
    Result<std::optional<std::string>> exe(Tid tid) override {
        return tasks.contains(tid.value) ? std::optional<std::string>("/bin/sh") : std::nullopt;
    }

    std::map<pid_t, FakeTask> tasks;
    bool fails = false;
    int reads = 0;
};

class FakeExits final : public ExitWatch {
  public:
    explicit FakeExits(const FakeProcfs& procfs) : procfs_(procfs) {}
    Result<WatchReach> watch(Tgid process) override {
        if (!procfs_.tasks.contains(process.value)) {
            return WatchReach::kGone;
        }
        if (watched.size() >= limit) {
            return WatchReach::kFull;
        }
        watched.insert(process);
        return WatchReach::kDone;
    }
    void forget(Tgid process) override { watched.erase(process); }
    void drain(std::vector<Tgid>& out) override {
        for (const Tgid process : ended) {
            if (watched.erase(process) != 0) {
                out.push_back(process);
            }
        }
        ended.clear();
    }

    std::set<Tgid> watched;
    std::vector<Tgid> ended;
    std::size_t limit = 100;

  private:
    const FakeProcfs& procfs_;
};

class Table : public ::testing::Test {
  protected:
    static ListedTask listed(pid_t process) { return {Tid{process}, Tgid{process}, process}; }

    Clock::time_point now = Clock::now();
    FakeProcfs procfs;
    FakeExits exits{procfs};
    TaskTable table{procfs, exits, {.entries = 4, .settle = 50ms, .slow_look = 2000ms}};
};

TEST_F(Table, ARegisteredProcessIsFoundWithItsParent) {
    procfs.tasks = {{200, {11, 1}}, {201, {12, 200}}};
    EXPECT_TRUE(table.add(Tgid{200}, TaskOrigin::kListing, now));
    EXPECT_TRUE(table.add(Tgid{201}, TaskOrigin::kForkEvent, now));
    const TaskEntry* child = table.find(Tgid{201});
    ASSERT_NE(child, nullptr);
    EXPECT_EQ(child->key, (TaskKey{Tid{201}, 12}));
    EXPECT_EQ(child->parent, Tgid{200});
    EXPECT_EQ(child->origin, TaskOrigin::kForkEvent);
    EXPECT_EQ(table.size(), 2U);
}

TEST_F(Table, ALineageGoesWithTheProcessAndNotWithItsNumber) {
    procfs.tasks = {{200, {11, 1}}, {201, {12, 200}}};
    const auto is_known = [&](pid_t process) { return table.lineage_of(Tgid{process}).whole; };
    EXPECT_TRUE(table.add(Tgid{200}, TaskOrigin::kSession, now));
    EXPECT_FALSE(is_known(200)) << "nobody has told";
    table.set_lineage(Tgid{200}, Lineage::start());
    EXPECT_TRUE(is_known(200));
    EXPECT_FALSE(is_known(201)) << "it is not in the table";
    table.add_child(Tgid{201}, Tgid{200}, now);
    EXPECT_FALSE(is_known(201));
    table.set_lineage(Tgid{201}, table.lineage_of(Tgid{200}));
    EXPECT_TRUE(is_known(201));
    const std::vector<ListedTask> all{listed(200), listed(201)};
    table.heal(all, now);
    EXPECT_TRUE(is_known(200) && is_known(201)) << "a listing changes nothing";
    // The number is given again, by a fork and by a listing that notices it.
    table.add_child(Tgid{201}, Tgid{200}, now);
    EXPECT_FALSE(is_known(201));
    procfs.tasks[200] = {99, 1};
    table.heal(all, now);
    EXPECT_FALSE(is_known(200));
    table.set_lineage(Tgid{202}, Lineage::start());
    EXPECT_FALSE(is_known(202)) << "of nobody in the table";
}

TEST_F(Table, WhereBirthsMayBeMissedALineageIsThatOfTheBirth) {
    procfs.tasks = {{200, {11, 1}}, {201, {12, 200}}};
    const auto is_known = [&](pid_t process) { return table.lineage_of(Tgid{process}).whole; };
    EXPECT_TRUE(table.add(Tgid{200}, TaskOrigin::kSession, now));
    table.set_lineage(Tgid{200}, Lineage::start());
    table.add_child(Tgid{201}, Tgid{200}, now);
    table.set_lineage(Tgid{201}, Lineage::start());
    EXPECT_TRUE(is_known(200) && is_known(201)) << "the control";
    table.may_miss_births();
    EXPECT_TRUE(is_known(200));
    EXPECT_FALSE(is_known(201)) << "its birth has not been read, and it may be another's by now";
    table.heal(std::vector<ListedTask>{listed(200), listed(201)}, now);
    EXPECT_FALSE(is_known(201)) << "what is read now is too late";
    procfs.tasks[200] = {99, 1};
    EXPECT_FALSE(is_known(200)) << "another one has its number";
}

TEST_F(Table, ARecycledNumberNeverMatchesTheOldEntry) {
    procfs.tasks = {{200, {11, 1}}};
    ASSERT_TRUE(table.add(Tgid{200}, TaskOrigin::kForkEvent, now));
    procfs.tasks[200] = {12, 1};  // its end was not noticed yet
    EXPECT_TRUE(table.add(Tgid{200}, TaskOrigin::kListing, now));
    EXPECT_EQ(table.find(Tgid{200})->key.birth, 12U);
    EXPECT_EQ(table.find(Tgid{200})->origin, TaskOrigin::kListing);
    EXPECT_EQ(table.size(), 1U);
}

TEST_F(Table, ANewbornChildCostsNoReadBeforeItSettles) {
    procfs.tasks = {{200, {11, 1}}};
    ASSERT_TRUE(table.add(Tgid{200}, TaskOrigin::kSession, now));
    const int before = procfs.reads;
    table.add_child(Tgid{201}, Tgid{200}, now);
    EXPECT_EQ(procfs.reads, before);
    ASSERT_NE(table.find(Tgid{201}), nullptr);
    EXPECT_EQ(table.find(Tgid{201})->key, (TaskKey{Tid{201}, 0}));
    EXPECT_EQ(table.find(Tgid{201})->parent, Tgid{200});
    EXPECT_EQ(table.find(Tgid{201})->origin, TaskOrigin::kForkEvent);
    procfs.tasks[201] = {12, 200};
    table.tend(now + 100ms);
    EXPECT_EQ(table.find(Tgid{201})->key.birth, 12U);
    EXPECT_TRUE(exits.watched.contains(Tgid{201}));
}

TEST_F(Table, AListingReadsTheBirthOfAChildAndKeepsItsOrigin) {
    procfs.tasks = {{201, {12, 200}}};
    table.add_child(Tgid{201}, Tgid{200}, now);
    const std::vector<ListedTask> domain{listed(201)};
    table.heal(domain, now);
    EXPECT_EQ(table.find(Tgid{201})->key.birth, 12U);
    EXPECT_EQ(table.find(Tgid{201})->origin, TaskOrigin::kForkEvent);
    table.tend(now + 100ms);
    EXPECT_TRUE(exits.watched.contains(Tgid{201}));
}

TEST_F(Table, ANewbornChildReplacesTheOldHolderOfItsNumber) {
    procfs.tasks = {{200, {11, 1}}};
    ASSERT_TRUE(table.add(Tgid{200}, TaskOrigin::kSession, now));
    table.add_child(Tgid{200}, Tgid{1}, now);
    EXPECT_EQ(table.find(Tgid{200})->origin, TaskOrigin::kForkEvent);
    EXPECT_EQ(table.size(), 1U);
}

TEST_F(Table, ARecycledNumberIsNotTakenForTheOldProcessWhenItSettles) {
    procfs.tasks = {{200, {11, 1}}};
    ASSERT_TRUE(table.add(Tgid{200}, TaskOrigin::kForkEvent, now));
    procfs.tasks[200] = {12, 1};
    table.tend(now + 100ms);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_TRUE(exits.watched.empty());
}

TEST_F(Table, ProcessesBornInOneSpanOfTimeSettleTogether) {
    const Clock::time_point begin{50ms * 1000};  // a span is as long as the settling
    table.add_child(Tgid{200}, Tgid{1}, begin + 1ms);
    table.tend(begin + 1ms);  // the look for exits is far away now
    const auto due = table.next_due();
    ASSERT_TRUE(due.has_value());
    EXPECT_EQ(*due, begin + 100ms) << "none is looked at before it is old enough";
    table.add_child(Tgid{201}, Tgid{1}, begin + 49ms);
    EXPECT_EQ(table.next_due(), due);
    table.tend(*due);
    EXPECT_EQ(table.size(), 0U) << "both were looked at, and both have gone";
}

TEST_F(Table, AProcessThatEndsBeforeItSettlesCostsNoDescriptor) {
    procfs.tasks = {{200, {11, 1}}};
    ASSERT_TRUE(table.add(Tgid{200}, TaskOrigin::kForkEvent, now));
    procfs.tasks.clear();
    table.tend(now + 100ms);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_TRUE(exits.watched.empty());
}

TEST_F(Table, TheExitOfASettledProcessIsSeenThroughItsPidfd) {
    procfs.tasks = {{200, {11, 1}}};
    ASSERT_TRUE(table.add(Tgid{200}, TaskOrigin::kForkEvent, now));
    table.tend(now + 100ms);
    ASSERT_EQ(exits.watched.size(), 1U);
    exits.ended = {Tgid{200}};
    table.tend(now + 5s);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_FALSE(table.next_due().has_value());
}

TEST_F(Table, WithoutAFreeDescriptorAProcessIsLookedAtAgain) {
    exits.limit = 0;
    procfs.tasks = {{200, {11, 1}}};
    ASSERT_TRUE(table.add(Tgid{200}, TaskOrigin::kForkEvent, now));
    table.tend(now + 100ms);
    EXPECT_EQ(table.size(), 1U);
    procfs.tasks.clear();
    table.tend(now + 5s);
    EXPECT_EQ(table.size(), 0U);
}

TEST_F(Table, AListingAddsWhatWasMissedAndForgetsWhatHasGone) {
    procfs.tasks = {{200, {11, 1}}, {201, {12, 200}}};
    ASSERT_TRUE(table.add(Tgid{200}, TaskOrigin::kForkEvent, now));
    ASSERT_TRUE(table.add(Tgid{201}, TaskOrigin::kForkEvent, now));
    procfs.tasks.erase(201);
    procfs.tasks[202] = {13, 1};  // came by setns, say
    const std::vector<ListedTask> domain{listed(200), listed(202)};
    table.heal(domain, now);
    EXPECT_EQ(table.find(Tgid{200})->origin, TaskOrigin::kForkEvent);
    EXPECT_EQ(table.find(Tgid{201}), nullptr);
    ASSERT_NE(table.find(Tgid{202}), nullptr);
    EXPECT_EQ(table.find(Tgid{202})->origin, TaskOrigin::kListing);
}

TEST_F(Table, WhatWasBornAfterTheListingStays) {
    procfs.tasks = {{200, {11, 1}}, {201, {12, 200}}};
    ASSERT_TRUE(table.add(Tgid{201}, TaskOrigin::kForkEvent, now));
    const std::vector<ListedTask> domain{listed(200)};
    table.heal(domain, now);
    EXPECT_NE(table.find(Tgid{201}), nullptr);
}

TEST_F(Table, IsBoundedAndCountsWhatFoundNoRoom) {
    for (pid_t process = 200; process < 206; ++process) {
        procfs.tasks[process] = {static_cast<std::uint64_t>(process), 1};
        EXPECT_EQ(table.add(Tgid{process}, TaskOrigin::kForkEvent, now), process < 204);
    }
    EXPECT_EQ(table.size(), 4U);
    EXPECT_EQ(table.refused(), 2U);
    // Those that have ended make room at once.
    procfs.tasks.erase(200);
    table.remove(Tgid{200});
    EXPECT_TRUE(table.add(Tgid{205}, TaskOrigin::kForkEvent, now));
}

TEST_F(Table, AProcessThatCannotBeReadIsRegisteredAllTheSame) {
    procfs.tasks = {{200, {11, 1}}};
    procfs.fails = true;
    EXPECT_TRUE(table.add(Tgid{200}, TaskOrigin::kForkEvent, now));
    EXPECT_EQ(table.find(Tgid{200})->key.birth, 0U);
    procfs.fails = false;
    table.tend(now + 100ms);
    EXPECT_EQ(table.find(Tgid{200})->key.birth, 11U);
}

TEST_F(Table, RowsShowTheLivingOnlyAndTheOldestFirst) {
    procfs.tasks = {{200, {12, 1}}, {201, {11, 1}}, {202, {13, 1}}, {203, {14, 1, 'Z'}}};
    for (pid_t process = 200; process < 204; ++process) {
        ASSERT_TRUE(table.add(Tgid{process}, TaskOrigin::kForkEvent, now));
    }
    procfs.tasks[202].birth = 99;  // recycled
    const auto rows = table.rows();
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].entry.key.tid, Tid{201});
    EXPECT_EQ(rows[1].entry.key.tid, Tid{200});
    EXPECT_EQ(rows[1].namespace_ids, (std::vector<pid_t>{200, 100}));
    EXPECT_EQ(rows[1].exe, "/bin/sh");
}

using Processes = std::vector<Tgid>;

TEST_F(Table, WhoSharesAMemoryIsKnownFromItsBirth) {
    procfs.tasks = {{200, {11, 1}}, {201, {12, 200}}, {202, {13, 200}}};
    ASSERT_TRUE(table.add(Tgid{200}, TaskOrigin::kSession, now));
    EXPECT_EQ(table.sharers_of(Tgid{200}), std::nullopt) << "nobody has said whose its memory is";
    table.has_own_memory(Tgid{200});
    EXPECT_EQ(table.sharers_of(Tgid{200}), Processes{});
    table.add_child(Tgid{201}, Tgid{200}, now);
    table.shares_memory(Tgid{201}, Tgid{200});
    table.add_child(Tgid{202}, Tgid{200}, now);
    table.has_own_memory(Tgid{202});
    EXPECT_EQ(table.sharers_of(Tgid{200}), Processes{Tgid{201}});
    EXPECT_EQ(table.sharers_of(Tgid{201}), Processes{Tgid{200}});
    EXPECT_EQ(table.sharers_of(Tgid{202}), Processes{});
    table.has_own_memory(Tgid{201});  // its exec
    EXPECT_EQ(table.sharers_of(Tgid{200}), Processes{});
    EXPECT_EQ(table.sharers_of(Tgid{201}), Processes{});
}

TEST_F(Table, WhoseMemoryIsNotKnownMayShareEverybodys) {
    procfs.tasks = {{200, {11, 1}}, {201, {12, 1}}, {202, {13, 201}}};
    ASSERT_TRUE(table.add(Tgid{200}, TaskOrigin::kSession, now));
    table.has_own_memory(Tgid{200});
    ASSERT_TRUE(table.add(Tgid{201}, TaskOrigin::kListing, now));
    EXPECT_EQ(table.sharers_of(Tgid{200}), Processes{Tgid{201}});
    EXPECT_EQ(table.sharers_of(Tgid{201}), std::nullopt);
    table.add_child(Tgid{202}, Tgid{201}, now);
    table.shares_memory(Tgid{202}, Tgid{201});
    EXPECT_EQ(table.sharers_of(Tgid{202}), std::nullopt);
    EXPECT_EQ(table.sharers_of(Tgid{999}), std::nullopt) << "not in the table";
    table.remove(Tgid{201});
    table.remove(Tgid{202});
    EXPECT_EQ(table.sharers_of(Tgid{200}), Processes{});
}

TEST_F(Table, AListingForgetsNobodysMemory) {
    procfs.tasks = {{200, {11, 1}}, {201, {12, 200}}};
    ASSERT_TRUE(table.add(Tgid{200}, TaskOrigin::kSession, now));
    table.has_own_memory(Tgid{200});
    table.add_child(Tgid{201}, Tgid{200}, now);
    table.shares_memory(Tgid{201}, Tgid{200});
    table.heal(std::vector<ListedTask>{listed(200), listed(201)}, now);
    EXPECT_EQ(table.sharers_of(Tgid{200}), Processes{Tgid{201}});
    // The number of one whose end was not noticed says nothing of its new holder.
    procfs.tasks[201] = {99, 1};
    table.heal(std::vector<ListedTask>{listed(200), listed(201)}, now);
    EXPECT_EQ(table.find(Tgid{201})->memory, 0U);
    EXPECT_EQ(table.sharers_of(Tgid{200}), Processes{Tgid{201}});
    procfs.tasks.erase(201);
    table.heal(std::vector<ListedTask>{listed(200)}, now);
    EXPECT_EQ(table.sharers_of(Tgid{200}), Processes{});
}

TEST_F(Table, ATableThatWasFullDoesNotKnowWhoShares) {
    for (pid_t process = 200; process < 206; ++process) {
        procfs.tasks[process] = {static_cast<std::uint64_t>(process), 1};
        table.add_child(Tgid{process}, Tgid{1}, now);
        table.has_own_memory(Tgid{process});
    }
    ASSERT_GT(table.refused(), 0U);
    EXPECT_EQ(table.sharers_of(Tgid{200}), std::nullopt);
}

}  // namespace
}  // namespace execseal
