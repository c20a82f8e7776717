// PolicyWatch: loads all policies of the node when the agent starts and whenever their directory
// changes, and says which of them are good.
//
// The policy of a new container is read when the container comes, so nothing here decides what it
// gets; this tells the owner of a mistake before a container fails for it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "config/policy.h"
#include "hook/os/directory_watch.h"
#include "hook/os/event_loop.h"

namespace execseal {

class PolicyWatch {
  public:
    // `loop` must outlive this. A directory that cannot be watched is said in the log.
    PolicyWatch(EventLoop& loop, std::string directory);
    ~PolicyWatch();
    PolicyWatch(const PolicyWatch&) = delete;
    PolicyWatch& operator=(const PolicyWatch&) = delete;
    PolicyWatch(PolicyWatch&&) = delete;
    PolicyWatch& operator=(PolicyWatch&&) = delete;

    // By name (the file's, without ".json"): what it says, nullopt where it does not load.
    using Policies = std::map<std::string, std::optional<Policy>>;
    [[nodiscard]] const Policies& policies() const { return policies_; }
    [[nodiscard]] std::uint64_t reloads() const { return reloads_; }

  private:
    void load();

    EventLoop& loop_;
    std::string directory_;
    std::optional<DirectoryWatch> watch_;
    Policies policies_;
    std::uint64_t reloads_ = 0;
};

}  // namespace execseal
