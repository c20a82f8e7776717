// The name under which the service manager keeps a listener for us: all that a later agent must
// know about the container to serve it again. Pure.
#pragma once

#include <optional>
#include <string>

#include "hook/os/ids.h"

namespace execseal {

struct StoredListener {
    std::string container_id;
    std::string policy;  // as the profile named it; may be empty
    TaskKey init;        // of the container; {} where the runtime did not say
    friend bool operator==(const StoredListener&, const StoredListener&) = default;
};

// nullopt: it does not fit into a name (255 bytes, without ":"; sd_notify(3)).
std::optional<std::string> name_of_stored(const StoredListener& listener);
// nullopt: not a name of ours.
std::optional<StoredListener> parse_stored(const std::string& name);

}  // namespace execseal
