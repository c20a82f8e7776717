// A policy that allows something, denies something, and denies something only to an `exec`, so that
// a child and an exec can be told apart.
#pragma once

#include <nlohmann/json.hpp>

#include "tests/e2e/agents.h"

namespace execseal::e2e {

inline constexpr const char* kSmallAnnotation = "io.execseal.policy=small";

inline nlohmann::ordered_json small_policy() {
    return nlohmann::ordered_json::parse(R"({
        "apiVersion": "execseal/v1", "name": "small", "default": "allow",
        "rules": [
            {"id": "no-wget", "verdict": "deny", "exe": "/bin/wget"},
            {"id": "no-id-by-exec", "verdict": "deny", "exe": "/bin/id", "via": "exec"}
        ]})");
}

// A node with that policy and `engine` behind the shim.
inline Node node_with_small_policy(const Scratch& scratch, Engine engine = Engine::kRunc) {
    Node node(scratch, engine);
    node.policy("small", small_policy()).write();
    return node;
}

}  // namespace execseal::e2e
