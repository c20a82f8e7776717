#include "hook/tasks/task_table.h"

#include <algorithm>
#include <unordered_set>

namespace execseal {
namespace {

Tid first_thread(Tgid process) {
    return Tid{process.value};
}

// Of the process with this number: one whose birth has not been read yet may be any.
bool may_be_of(const TaskKey& key, std::uint64_t birth) {
    return key.birth == 0 || birth == 0 || key.birth == birth;
}

}  // namespace

const char* task_origin_name(TaskOrigin origin) {
    switch (origin) {
        case TaskOrigin::kListing:
            return "listing";
        case TaskOrigin::kSession:
            return "session";
        case TaskOrigin::kForkEvent:
            return "fork";
        case TaskOrigin::kStray:
            return "stray";
    }
    return "?";
}

TaskTable::TaskTable(Procfs& procfs, ExitWatch& exits, TaskTableLimits limits)
    : procfs_(procfs), exits_(exits), limits_(limits) {}

bool TaskTable::add(Tgid process, TaskOrigin origin, Clock::time_point now) {
    const Result<std::optional<TaskStat>> stat = procfs_.stat(first_thread(process));
    if (stat && !*stat) {
        remove(process);
        return false;
    }
    TaskEntry entry;
    entry.key.tid = first_thread(process);
    entry.origin = origin;
    entry.since = std::chrono::system_clock::now();
    // Unreadable for a lack of descriptors, say: it is registered all the same, and settle() reads
    // again.
    if (stat) {
        entry.key.birth = (*stat)->birth;
        entry.parent = (*stat)->parent;
    }
    const auto known = entries_.find(process);
    if (known != entries_.end()) {
        if (may_be_of(known->second.key, entry.key.birth) && origin == TaskOrigin::kListing) {
            learn_birth(known->second, entry.key.birth);
            return true;
        }
        // The number was recycled before we noticed the end of the former holder.
        remove(process);
    }
    return insert(entry, now);
}

void TaskTable::add_child(Tgid child, Tgid parent, Clock::time_point now) {
    remove(child);  // its number may be that of one whose end was not noticed yet
    TaskEntry entry;
    entry.key.tid = first_thread(child);
    entry.parent = parent;
    entry.origin = TaskOrigin::kForkEvent;
    entry.since = std::chrono::system_clock::now();
    (void)insert(entry, now);
}

bool TaskTable::insert(const TaskEntry& entry, Clock::time_point now) {
    if (entries_.size() >= limits_.entries) {
        for (std::size_t left = settling_.size(); left > 0 && entries_.size() >= limits_.entries;
             --left) {
            const TaskKey oldest = settling_.front().key;
            settling_.pop_front();
            settle(oldest, now);
        }
        if (entries_.size() >= limits_.entries) {
            ++refused_;
            return false;
        }
    }
    const auto [place, is_new] = entries_.try_emplace(entry.key.process());
    if (!is_new) {
        count_memory(place->second.memory, -1);
    }
    place->second = entry;
    count_memory(entry.memory, 1);
    if (entry.origin == TaskOrigin::kListing) {
        newcomers_.push_back(entry.key.process());
    }
    settling_.push_back({entry.key, settled_at(now)});
    return true;
}

// Rounded up, so that the processes born in one span of time are looked at in one wake-up.
TaskTable::Clock::time_point TaskTable::settled_at(Clock::time_point born) const {
    const auto since_epoch = born.time_since_epoch();
    return born + 2 * limits_.settle - since_epoch % Clock::duration(limits_.settle);
}

void TaskTable::remove(Tgid process) {
    if (const auto entry = entries_.find(process); entry != entries_.end()) {
        erase(entry);
        exits_.forget(process);
    }
}

void TaskTable::erase(std::unordered_map<Tgid, TaskEntry>::iterator entry) {
    count_memory(entry->second.memory, -1);
    entries_.erase(entry);
}

void TaskTable::count_memory(std::uint64_t memory, int change) {
    std::size_t& count = memories_[memory];
    count += static_cast<std::size_t>(change);
    if (count == 0) {
        memories_.erase(memory);
    }
}

void TaskTable::set_memory(Tgid process, std::uint64_t memory) {
    const auto entry = entries_.find(process);
    if (entry != entries_.end() && entry->second.memory != memory) {
        count_memory(entry->second.memory, -1);
        count_memory(memory, 1);
        entry->second.memory = memory;
    }
}

void TaskTable::has_own_memory(Tgid process) {
    set_memory(process, next_memory_++);
}

void TaskTable::shares_memory(Tgid process, Tgid creator) {
    const TaskEntry* const other = find(creator);
    set_memory(process, other != nullptr ? other->memory : 0);
}

std::optional<std::vector<Tgid>> TaskTable::sharers_of(Tgid process) const {
    const TaskEntry* const own = find(process);
    if (own == nullptr || own->memory == 0 || refused_ > 0) {
        return std::nullopt;
    }
    std::vector<Tgid> sharers;
    if (memories_.at(own->memory) == 1 && !memories_.contains(0)) {
        return sharers;  // the usual case costs nothing, however many there are
    }
    for (const auto& [other, entry] : entries_) {
        if (other != process && (entry.memory == own->memory || entry.memory == 0)) {
            sharers.push_back(other);
        }
    }
    return sharers;
}

void TaskTable::set_lineage(Tgid process, Lineage lineage) {
    if (const auto entry = entries_.find(process); entry != entries_.end()) {
        entry->second.lineage = std::move(lineage);
    }
}

Lineage TaskTable::lineage_of(Tgid process) const {
    const TaskEntry* const entry = find(process);
    if (entry == nullptr) {
        return {};
    }
    if (may_miss_births_) {
        const Result<std::optional<TaskStat>> stat = procfs_.stat(entry->key.tid);
        if (entry->key.birth == 0 || !stat || !*stat || (*stat)->birth != entry->key.birth) {
            return {};
        }
    }
    return entry->lineage;
}

// It may be another one's, that was born unseen.
void TaskTable::learn_birth(TaskEntry& entry, std::uint64_t birth) const {
    if (may_miss_births_ && entry.key.birth == 0) {
        entry.lineage = {};
    }
    entry.key.birth = birth;
}

void TaskTable::heal(std::span<const ListedTask> tasks, Clock::time_point now) {
    std::unordered_set<Tgid> present;
    for (const ListedTask& task : tasks) {
        Tgid process = task.process;
        if (process == Tgid{}) {
            const Result<std::optional<TaskStatus>> status = procfs_.status(task.tid);
            if (!status || !*status) {
                continue;
            }
            process = (*status)->tgid;
        }
        if (present.insert(process).second) {
            (void)add(process, TaskOrigin::kListing, now);
        }
    }
    std::vector<TaskKey> absent;
    for (const auto& [process, entry] : entries_) {
        if (!present.contains(process)) {
            absent.push_back(entry.key);
        }
    }
    // Born after the listing, or gone: each is asked for itself.
    for (const TaskKey& key : absent) {
        const Result<std::optional<TaskStat>> stat = procfs_.stat(key.tid);
        if (stat && (!*stat || !may_be_of(key, (*stat)->birth))) {
            remove(key.process());
        }
    }
}

void TaskTable::settle(const TaskKey& key, Clock::time_point now) {
    const Tgid process = key.process();
    const auto known = entries_.find(process);
    if (known == entries_.end() || !may_be_of(key, known->second.key.birth)) {
        return;  // removed or replaced meanwhile
    }
    // The pidfd first, the birth after it: then the pidfd is of the process that was seen.
    const Result<WatchReach> watched = exits_.watch(process);
    if (watched && *watched == WatchReach::kGone) {
        remove(process);
        return;
    }
    const Result<std::optional<TaskStat>> stat = procfs_.stat(key.tid);
    const bool gone = stat && (!*stat || (*stat)->state == 'Z' || (*stat)->state == 'X');
    if (gone || (stat && !may_be_of(known->second.key, (*stat)->birth))) {
        remove(process);
        return;
    }
    if (stat) {
        learn_birth(known->second, (*stat)->birth);
    }
    if (!watched || *watched != WatchReach::kDone) {
        settling_.push_back({known->second.key, now + limits_.slow_look});
    }
}

void TaskTable::tend(Clock::time_point now) {
    const auto due = next_due();
    if (!due || now < *due) {
        return;
    }
    for (std::size_t i = 0; i < limits_.batch && !settling_.empty() && settling_.front().due <= now;
         ++i) {
        const TaskKey key = settling_.front().key;
        settling_.pop_front();
        settle(key, now);
    }
    if (now >= next_look_) {
        next_look_ = now + limits_.slow_look;
        ended_.clear();
        exits_.drain(ended_);
        for (const Tgid process : ended_) {
            if (const auto entry = entries_.find(process); entry != entries_.end()) {
                erase(entry);
            }
        }
    }
}

std::optional<TaskTable::Clock::time_point> TaskTable::next_due() const {
    if (entries_.empty() && settling_.empty()) {
        return std::nullopt;
    }
    if (settling_.empty()) {
        return next_look_;
    }
    return std::min(next_look_, settling_.front().due);
}

const TaskEntry* TaskTable::find(Tgid process) const {
    const auto found = entries_.find(process);
    return found == entries_.end() ? nullptr : &found->second;
}

std::vector<TaskRow> TaskTable::rows() const {
    std::vector<TaskRow> rows;
    rows.reserve(entries_.size());
    for (const auto& [process, entry] : entries_) {
        TaskRow row;
        row.entry = entry;
        const Tid tid = first_thread(process);
        auto status = procfs_.status(tid);
        auto exe = procfs_.exe(tid);
        const auto stat = procfs_.stat(tid);
        // Read last: what was read before it is of the same process.
        if (!stat || !*stat || (*stat)->state == 'Z' || !may_be_of(entry.key, (*stat)->birth)) {
            continue;
        }
        if (status && *status) {
            row.namespace_ids = std::move((*status)->namespace_ids);
        }
        if (exe && *exe) {
            row.exe = **std::move(exe);
        }
        rows.push_back(std::move(row));
    }
    std::sort(rows.begin(), rows.end(), [](const TaskRow& a, const TaskRow& b) {
        return a.entry.key.birth != b.entry.key.birth ? a.entry.key.birth < b.entry.key.birth
                                                      : a.entry.key.tid < b.entry.key.tid;
    });
    return rows;
}

}  // namespace execseal
