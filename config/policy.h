// Policy: what an operator wrote down about execs, loaded, checked and compiled once.
//
// Takes policy JSON (apiVersion execseal/v1), gives an immutable Policy that judge() reads. Never
// forgives: an unknown key, a wrong type, a bad glob or regex is an Error of one line, "FILE:
// /json/pointer: expected ...".
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "hook/os/result.h"

namespace execseal {

// In order of strictness, laxest last; Verdict{} denies. `audit` allows and marks the event.
enum class Verdict { kDeny, kKill, kAudit, kAllow };

// The stricter of two: kill > deny > audit > allow.
Verdict stricter(Verdict a, Verdict b);
const char* verdict_name(Verdict verdict);

// Whom an exec freezes, the most first. kWriters: who could write to the caller's memory: its other
// threads and who shares it; everybody of the domain where a page under the arguments is shared.
enum class FreezeScope { kPidns, kWriters, kSiblings, kOff };
const char* freeze_scope_name(FreezeScope scope);
enum class OnFreezeFailure {
    kDeny,
    kVerify
};  // kVerify: go on without the freeze, the verification decides

// "protect" of a policy: how the decision is made binding.
struct Protection {
    FreezeScope freeze = FreezeScope::kWriters;
    bool verify = true;
    OnFreezeFailure on_freeze_failure = OnFreezeFailure::kDeny;
    // The longest that bystanders may be paused for one exec. Past it a freeze in the making has
    // failed; one that stands is thawed, and the verification decides.
    std::chrono::milliseconds freeze_budget{500};
};

// Letters, digits, ".", "_" and "-", the first a letter or digit: a name is also a file's name.
bool is_policy_name(std::string_view name);

// The largest policy file that is read.
inline constexpr std::size_t kPolicyBytes = std::size_t{8} << 20;

struct CompiledPolicy;  // rules, indexes, RE2 sets: config/policy_rules.h

// Immutable after load; may be read from any thread. Cheap to copy.
class Policy {
  public:
    // `origin` names the source in errors (the file's path). Whole text, not a path: callers hash
    // what they load.
    static Result<Policy> parse(std::string_view text, const std::string& origin);
    static Result<Policy> load(const std::string& path);

    [[nodiscard]] const std::string& name() const;
    [[nodiscard]] const Protection& protection() const;
    // False when nothing that this policy decides depends on what other tasks can change while an
    // exec is decided: uid, gid and via do not, and exe does not where the exec is verified, since
    // the verification sees the file that the kernel opened and the arguments that name an applet
    // or a loader's program.
    [[nodiscard]] bool needs_fork_tracking() const;
    // Whether a rule asks what stands above an exec: then somebody has to see who makes whom, also
    // where nothing is enforced.
    [[nodiscard]] bool sees_lineage() const;
    [[nodiscard]] const CompiledPolicy& compiled() const { return *compiled_; }

  private:
    Policy() = default;
    std::shared_ptr<const CompiledPolicy> compiled_;
};

}  // namespace execseal
