#include "hook/tasks/vfork_parents.h"

#include <utility>

#include "hook/os/pidfd.h"

namespace execseal {
namespace {

// Two descriptors each. Most are taken at once; children that end without an exec leave theirs
// behind.
constexpr std::size_t kMostEntries = 64;

}  // namespace

void VforkParents::add(Tid parent, Tgid child) {
    Result<UniqueFd> parent_fd = open_thread_pidfd(parent.value);
    Result<UniqueFd> child_fd = open_pidfd(child.value);
    if (!parent_fd || !child_fd) {
        entries_.erase(child);
        return;
    }
    if (entries_.size() >= kMostEntries) {
        entries_.clear();
    }
    entries_[child] = {parent, std::move(parent_fd).value(), std::move(child_fd).value()};
}

void VforkParents::forget_child(Tgid child) {
    entries_.erase(child);
}

void VforkParents::forget_parent(Tgid process) {
    std::erase_if(entries_,
                  [&](const auto& entry) { return entry.second.parent.value == process.value; });
}

Tid VforkParents::take(Tgid process, Tid caller) {
    const auto found = entries_.find(process);
    if (found == entries_.end()) {
        return Tid{};
    }
    const Entry entry = std::move(found->second);
    entries_.erase(found);
    // The caller is alive, so if the recorded child has exited, its number was reused.
    const bool is_the_child = caller.value == process.value && !has_ended(entry.child_fd.get());
    return is_the_child && !has_ended(entry.parent_fd.get()) ? entry.parent : Tid{};
}

}  // namespace execseal
