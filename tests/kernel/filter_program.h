// filter_program: the BPF program that a runtime makes of an OCI profile, and what it answers.
//
// Builds with libseccomp step by step as runc does (libcontainer/seccomp, InitSeccomp() and
// matchCall()): same order, same skipped rules, same errors. Interprets the exported program, so
// that every call of every ABI can be asked without making it.
#pragma once

#include <linux/filter.h>

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

// The optimised tree (SCMP_FLTATR_CTL_OPTIMIZE) is runc's from 1.2 on.
enum class FilterTree { kLinear, kBinary };

Result<std::vector<sock_filter>> build_filter(const nlohmann::ordered_json& seccomp,
                                              FilterTree tree);

struct FilteredCall {
    std::uint32_t arch = 0;  // AUDIT_ARCH_...
    std::uint32_t number = 0;
    std::array<std::uint64_t, 6> args{};
};

// SECCOMP_RET_... with its data.
std::uint32_t filter_answer(const std::vector<sock_filter>& program, const FilteredCall& call);

}  // namespace execseal
