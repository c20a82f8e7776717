// build_facts: what was read and resolved, in the words of the policy.
//
// Takes a complete snapshot and a found program, gives ExecFacts. Pure but for read_id_map(), which
// is asked once a container.
#pragma once

#include <string>
#include <vector>

#include "hook/os/ids.h"
#include "hook/os/result.h"
#include "hook/supervisor/exec_facts.h"
#include "hook/supervisor/exec_reader.h"

namespace execseal {

// A user namespace's view of our ids. An empty one is the identity.
class IdMap {
  public:
    // Of the text of /proc/PID/uid_map or gid_map, see user_namespaces(7).
    static Result<IdMap> parse(const std::string& text);
    // An id that the namespace does not know is its overflow id, 65534.
    [[nodiscard]] std::uint32_t inside(std::uint32_t outside) const;

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

// Of the container's first process: not of the caller, which may have made itself root of a user
// namespace of its own.
Result<IdMaps> read_id_maps(Tid init);

// The study must be complete and its program found.
ExecFacts build_facts(const ExecStudy& study, Via via, const IdMaps& maps);

}  // namespace execseal
