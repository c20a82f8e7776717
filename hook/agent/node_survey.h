// node_survey: what the supervisors of this node say of themselves at this moment.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace execseal {

struct ContainerNow {
    std::string name;  // [NAMESPACE/POD/]NAME, the id where it has none
    std::string id;
    std::string policy;
    std::string mode;
    std::map<std::string, std::uint64_t> decisions{};  // by verdict
};

struct NodeSurvey {
    std::size_t supervisors = 0;  // alive
    std::size_t silent = 0;       // of these gave no answer in time
    std::uint64_t pending_execs = 0;
    std::uint64_t events_lost = 0;
    std::vector<ContainerNow> containers{};
};

// Those of the shim and the hooks too: whoever holds the lock of a container's directory. Asks one
// after the other, and no more once `budget` is spent: the agent's loop waits for it.
NodeSurvey survey_node(const std::string& run_dir, std::chrono::milliseconds budget);

}  // namespace execseal
