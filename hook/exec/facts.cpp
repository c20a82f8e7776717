#include "hook/exec/facts.h"

#include <fcntl.h>

#include <sstream>

#include "hook/os/check.h"
#include "hook/os/path_calls.h"

namespace execseal {
namespace {

constexpr std::size_t kMaxMap = 1U << 16U;  // 340 lines are the kernel's limit

Result<MapReader> reader_of_maps(const std::string& proc) {
    const auto ours = status_at("/proc/self/ns/user");
    const auto theirs = status_at(proc + "/ns/user");
    if (!ours || !theirs) {
        return ours ? theirs.error() : ours.error();
    }
    return ours->id == theirs->id ? MapReader::kInside : MapReader::kOutside;
}

}  // namespace

Result<IdMap> IdMap::parse(const std::string& text, MapReader reader) {
    IdMap map;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        Range range;
        if (!(words >> range.inside >> range.outside >> range.count)) {
            return make_error("uid_map: expected three numbers, got \"" + line + "\"");
        }
        if (reader == MapReader::kInside) {
            range.outside = range.inside;
        }
        map.ranges_.push_back(range);
    }
    return map;
}

std::optional<std::uint32_t> IdMap::inside(std::uint32_t outside) const {
    for (const Range& range : ranges_) {
        if (outside >= range.outside && outside - range.outside < range.count) {
            return range.inside + (outside - range.outside);
        }
    }
    return std::nullopt;
}

std::string IdMap::text() const {
    std::string text;
    for (const Range& range : ranges_) {
        text += std::to_string(range.inside) + " " + std::to_string(range.outside) + " " +
                std::to_string(range.count) + "\n";
    }
    return text;
}

std::optional<std::uint32_t> IdMap::outside(std::uint32_t inside) const {
    for (const Range& range : ranges_) {
        if (inside >= range.inside && inside - range.inside < range.count) {
            return range.outside + (inside - range.inside);
        }
    }
    return std::nullopt;
}

Result<IdMaps> read_id_maps(Tid init) {
    const std::string proc = "/proc/" + std::to_string(init.value);
    const auto reader = reader_of_maps(proc);
    if (!reader) {
        return reader.error();
    }
    const auto uids = read_text_at(AT_FDCWD, proc + "/uid_map", kMaxMap);
    const auto gids = read_text_at(AT_FDCWD, proc + "/gid_map", kMaxMap);
    if (!uids || !gids) {
        return uids ? gids.error() : uids.error();
    }
    const auto uid = IdMap::parse(*uids, *reader);
    const auto gid = IdMap::parse(*gids, *reader);
    if (!uid || !gid) {
        return add_context(proc, uid ? gid.error() : uid.error());
    }
    return IdMaps{*uid, *gid};
}

Result<ExecFacts> build_facts(ExecStudy& study, Via via, const IdMaps& maps) {
    CHECK(study.snapshot.outcome == SnapshotOutcome::kComplete &&
          study.program.outcome == ProgramOutcome::kFound);
    const auto uid = maps.uid.inside(study.caller.euid);
    const auto gid = maps.gid.inside(study.caller.egid);
    if (!uid || !gid) {
        return make_error("caller " +
                          (uid ? "gid " + std::to_string(study.caller.egid)
                               : "uid " + std::to_string(study.caller.euid)) +
                          " is not mapped in the container's user namespace");
    }
    ExecFacts facts;
    facts.views = std::move(study.program.views);
    facts.requested_path = study.snapshot.path;
    facts.env = study.snapshot.env.split();
    facts.cwd = study.program.cwd;
    facts.cwd_names = study.program.cwd_names;
    facts.uid = *uid;
    facts.gid = *gid;
    facts.via = via;
    return facts;
}

}  // namespace execseal
