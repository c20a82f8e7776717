// What every way into execseal is tried with: something allowed, something denied, and something
// that only an `exec` may not do, so that a child and an exec can be told apart.
#pragma once

#include <nlohmann/json.hpp>

namespace execseal::e2e {

inline nlohmann::ordered_json small_policy() {
    return nlohmann::ordered_json::parse(R"({
        "apiVersion": "execseal/v1", "name": "small", "default": "allow",
        "rules": [
            {"id": "no-wget", "verdict": "deny", "exe": "/bin/wget"},
            {"id": "no-id-by-exec", "verdict": "deny", "exe": "/bin/id", "via": "exec"}
        ]})");
}

}  // namespace execseal::e2e
