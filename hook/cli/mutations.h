// mutations: how wide a policy is, by what it says to changed execs.
//
// Takes execs that the policy lets pass, changes one thing of each (the program, a flag more,
// another subcommand, a path outside, a byte that a shell obeys) and counts what is refused. What a
// policy says to these says nothing about an attack, but two policies can be compared. Pure, and
// the same each time.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "config/policy.h"
#include "hook/cli/observed.h"

namespace execseal {

enum class Mutation { kProgram, kFlag, kSubcommand, kPath, kShell };
inline constexpr std::array kMutations{Mutation::kProgram, Mutation::kFlag, Mutation::kSubcommand,
                                       Mutation::kPath, Mutation::kShell};
const char* mutation_name(Mutation mutation);

struct MutationCount {
    std::uint64_t made = 0;
    std::uint64_t refused = 0;
};

struct PolicyWidth {
    std::map<Mutation, MutationCount> kinds;
    std::map<std::string, MutationCount> groups;  // by group_of()

    [[nodiscard]] MutationCount all() const;
    // Of what was made, 0 to 100.
    [[nodiscard]] double refused_percent() const;
};

// Told how many of how many execs are done.
using OnStep = std::function<void(std::size_t done, std::size_t total)>;

PolicyWidth width_of(const Policy& policy, const std::vector<const ObservedExec*>& execs,
                     const OnStep& on_step = nullptr);

}  // namespace execseal
