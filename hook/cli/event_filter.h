// EventFilter: which events `execseal events` shows.
//
// Pure. All that is given must hold; of several values for one field, one of them.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "config/glob.h"
#include "hook/cli/event.h"
#include "hook/os/result.h"

namespace execseal {

// As a person types it.
struct EventQuery {
    std::vector<std::string> containers{};  // name, id, or the beginning of an id
    std::vector<std::string> policies{};    // the container's, or the one that decided
    std::vector<std::string> verdicts{};    // what was carried out
    std::vector<std::string> rules{};
    std::vector<std::string> exes{};  // globs over the program's path
    std::vector<std::string> vias{};
    std::vector<std::string> outcomes{};
    bool all = false;     // what the kernel would refuse anyway, too; else only by its rule
    std::string since{};  // 30s, 10m, 2h, 7d ago, or RFC 3339 in UTC (or its beginning)
};

class EventFilter {
  public:
    // `now` is what ages are counted from. The Error names the option.
    static Result<EventFilter> compile(const EventQuery& query,
                                       std::chrono::system_clock::time_point now);

    [[nodiscard]] bool shows(const Event& event) const;

    [[nodiscard]] bool names_containers() const { return !query_.containers.empty(); }
    // From here on the query's containers are meant as among these, of events that it shows. An
    // Error where a word means several.
    Result<> mean_among(const std::vector<ContainerNames>& seen);

  private:
    [[nodiscard]] bool is_of_container(const Event& event) const;

    EventQuery query_;
    std::vector<NameMatch> least_;  // for each of the query's containers
    std::vector<Glob> exes_;
    std::string since_;
};

}  // namespace execseal
