#include "hook/tasks/attachments.h"

#include "hook/os/check.h"

namespace execseal {

void Attachments::check_thread() const {
    CHECK(std::this_thread::get_id() == thread_);
}

Attachment* Attachments::find(Tid tid) {
    const auto found = records_.find(tid);
    return found == records_.end() ? nullptr : &found->second;
}

const Attachment* Attachments::find(Tid tid) const {
    const auto found = records_.find(tid);
    return found == records_.end() ? nullptr : &found->second;
}

Attachment& Attachments::attach(Tid tid, const PtraceOptions& options) {
    Attachment& attachment = records_[tid];
    attachment = Attachment{};
    attachment.serial = next_serial_++;
    attachment.options = options;
    return attachment;
}

void Attachments::erase(Tid tid) {
    records_.erase(tid);
    std::erase(strays_, tid);
}

void Attachments::end(Tid tid) {
    suspect_orphan_of(tid);
    erase(tid);
}

void Attachments::rename(Tid former, Tid leader) {
    const auto thread = records_.find(former);
    if (former == leader || thread == records_.end()) {
        return;
    }
    // The old leader is dead and its record with it.
    suspect_orphan_of(leader);
    const Attachment renamed = thread->second;
    records_.erase(thread);
    records_[leader] = renamed;
}

void Attachments::adopt_child(const PtraceOptions& options, Tid child) {
    if (contains(child)) {
        std::erase(strays_, child);  // a sweep met it first; now it has somebody who waits for it
        return;
    }
    // It cannot have called anything before its first stop.
    Attachment& newborn = attach(child, options);
    newborn.told = true;
    newborn.newborn = true;
}

void Attachments::suspect_orphan() {
    orphans_possible_ = true;
    sweep_is_due_ = true;
}

void Attachments::suspect_orphan_of(Tid ended) {
    const Attachment* attachment = find(ended);
    if (attachment != nullptr && attachment->options.births && !attachment->told) {
        suspect_orphan();
    }
}

void Attachments::expect_exec(Tgid process, Tid caller) {
    Expected& expected = execs_[Tid{process.value}];
    ++expected.execs;
    expected.of_others += caller.value != process.value ? 1 : 0;
}

bool Attachments::exec_over(Tgid process, Tid caller) {
    const auto found = execs_.find(Tid{process.value});
    if (found == execs_.end()) {
        return false;
    }
    Expected& expected = found->second;
    expected.of_others -= caller.value != process.value ? 1 : 0;
    const bool certain = expected.of_others == 0;
    if (--expected.execs == 0) {
        execs_.erase(found);
    }
    return certain;
}

bool Attachments::may_be_taken(Tid tid) const {
    const auto expected = execs_.find(tid);
    return expected != execs_.end() && expected->second.of_others > 0;
}

bool Attachments::has_executed(Tid tid) const {
    const Attachment* attachment = find(tid);
    return attachment != nullptr && attachment->stop && is_exec(*attachment->stop) &&
           execs_.contains(tid);
}

}  // namespace execseal
