// deadline: points of the monotonic clock at which somebody wants to be called.
#pragma once

#include <chrono>
#include <initializer_list>
#include <optional>

namespace execseal {

// nullopt: none of them is set.
inline std::optional<std::chrono::steady_clock::time_point> earliest(
    std::initializer_list<std::optional<std::chrono::steady_clock::time_point>> deadlines) {
    std::optional<std::chrono::steady_clock::time_point> first;
    for (const auto& deadline : deadlines) {
        if (deadline && (!first || *deadline < *first)) {
            first = deadline;
        }
    }
    return first;
}

}  // namespace execseal
