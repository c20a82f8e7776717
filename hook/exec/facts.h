// build_facts: what was read and resolved, in the words of the policy.
//
// Takes a complete snapshot and a found program, gives ExecFacts. Pure but for read_id_maps(),
// which is asked once a container.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/exec_facts.h"
#include "hook/exec/study.h"
#include "hook/os/ids.h"
#include "hook/os/result.h"

namespace execseal {

// Who reads a map: its second column has the ids of the reader's user namespace. A reader inside
// the mapped namespace sees those of its parent (user_namespaces(7)), which we cannot use.
enum class MapReader { kOutside, kInside };

// A user namespace's view of the ids that we see in /proc/PID/status.
class IdMap {
  public:
    // Of the text of /proc/PID/uid_map or gid_map.
    static Result<IdMap> parse(const std::string& text, MapReader reader);
    // nullopt: the namespace has no number for it. That is no id to judge by: the container would
    // see 65534, which may be somebody's.
    [[nodiscard]] std::optional<std::uint32_t> inside(std::uint32_t outside) const;
    // As the kernel writes it for a MapReader::kOutside.
    [[nodiscard]] std::string text() const;
    // What we see as this id of the namespace.
    [[nodiscard]] std::optional<std::uint32_t> outside(std::uint32_t inside) const;

  private:
    struct Range {
        std::uint32_t inside = 0;
        std::uint32_t outside = 0;
        std::uint32_t count = 0;
    };
    std::vector<Range> ranges_;
};

struct IdMaps {
    IdMap uid;
    IdMap gid;
};

// Of the container's first process: not of a caller, which may have made itself root of a user
// namespace of its own.
Result<IdMaps> read_id_maps(Tid init);

// The study must be complete and its program found; its views go into the facts. An Error when the
// caller's ids mean nothing in the container.
Result<ExecFacts> build_facts(ExecStudy& study, Via via, const IdMaps& maps);

}  // namespace execseal
