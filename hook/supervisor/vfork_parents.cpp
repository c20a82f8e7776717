#include "hook/supervisor/vfork_parents.h"

#include <utility>

#include "hook/os/pidfd.h"

namespace execseal {
namespace {

// A descriptor each. Most are taken at once; children that end without an exec leave theirs behind.
constexpr std::size_t kMostEntries = 64;

}  // namespace

void VforkParents::add(Tid parent, Tgid child) {
    Result<UniqueFd> pidfd = open_pidfd(child.value);
    if (!pidfd) {
        entries_.erase(child);
        return;
    }
    if (entries_.size() >= kMostEntries) {
        entries_.clear();
    }
    entries_[child] = {parent, std::move(pidfd).value()};
}

Tid VforkParents::take(Tgid process, Tid caller) {
    const auto found = entries_.find(process);
    if (found == entries_.end()) {
        return Tid{};
    }
    const Entry entry = std::move(found->second);
    entries_.erase(found);
    // A caller lives; if the child does not, this is another one with its number.
    const bool is_the_child = caller.value == process.value && !has_ended(entry.child.get());
    return is_the_child ? entry.parent : Tid{};
}

}  // namespace execseal
