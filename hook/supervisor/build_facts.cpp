#include "hook/supervisor/build_facts.h"

#include <fcntl.h>

#include <sstream>

#include "hook/os/check.h"
#include "hook/os/path_calls.h"

namespace execseal {
namespace {

constexpr std::uint32_t kOverflowId = 65534;  // /proc/sys/kernel/overflowuid
constexpr std::size_t kMaxMap = 1U << 16U;    // 340 lines are the kernel's limit

}  // namespace

Result<IdMap> IdMap::parse(const std::string& text) {
    IdMap map;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        Range range;
        if (!(words >> range.inside >> range.outside >> range.count)) {
            return make_error("uid_map: expected three numbers, got \"" + line + "\"");
        }
        map.ranges_.push_back(range);
    }
    if (map.ranges_.empty()) {
        // A user namespace without a map: every id is the overflow id.
        map.ranges_.push_back({0, 0, 0});
    }
    return map;
}

std::uint32_t IdMap::inside(std::uint32_t outside) const {
    if (ranges_.empty()) {
        return outside;
    }
    for (const Range& range : ranges_) {
        if (outside >= range.outside && outside - range.outside < range.count) {
            return range.inside + (outside - range.outside);
        }
    }
    return kOverflowId;
}

Result<IdMaps> read_id_maps(Tid init) {
    const std::string proc = "/proc/" + std::to_string(init.value);
    const auto uids = read_text_at(AT_FDCWD, proc + "/uid_map", kMaxMap);
    const auto gids = read_text_at(AT_FDCWD, proc + "/gid_map", kMaxMap);
    if (!uids || !gids) {
        return uids ? gids.error() : uids.error();
    }
    const auto uid = IdMap::parse(*uids);
    const auto gid = IdMap::parse(*gids);
    if (!uid || !gid) {
        return add_context(proc, uid ? gid.error() : uid.error());
    }
    return IdMaps{*uid, *gid};
}

ExecFacts build_facts(const ExecStudy& study, Via via, const IdMaps& maps) {
    CHECK(study.snapshot.outcome == SnapshotOutcome::kComplete &&
          study.program.outcome == ProgramOutcome::kFound);
    ExecFacts facts;
    facts.views = study.program.views;
    facts.requested_path = study.snapshot.path;
    facts.env = study.snapshot.env.split();
    facts.cwd = study.program.cwd;
    facts.uid = maps.uid.inside(study.caller.euid);
    facts.gid = maps.gid.inside(study.caller.egid);
    facts.via = via;
    return facts;
}

}  // namespace execseal
