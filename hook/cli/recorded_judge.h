// recorded_judge: what a policy says to a recorded exec, or that the record does not tell.
//
// Where all that a policy looks at is in the event, this is judge() itself. Where something is
// missing, the rules are asked in order, and the first one that may or may not match ends it: its
// condition is named, nothing is guessed. Pure.
#pragma once

#include <string>

#include "config/policy.h"
#include "hook/cli/recorded_exec.h"
#include "hook/gate/judge.h"

namespace execseal {

struct RecordedJudgement {
    Judgement judgement;
    // Not empty: the record lacks what this rule looks at ("rule git: the record has only the first
    // bytes of argv"); `judgement` says nothing then.
    std::string lacking;
};

class RecordedJudge {
  public:
    // `policy` and `floor` (may be null) outlive this.
    RecordedJudge(const Policy& policy, const Policy* floor);

    // `exec` has facts.
    [[nodiscard]] RecordedJudgement judge(const RecordedExec& exec) const;

  private:
    [[nodiscard]] bool is_whole(const RecordedExec& exec) const;

    const Policy& policy_;
    const Policy* floor_;
    bool sees_lineage_;
    std::vector<std::string> env_names_;  // globs over the variables that are looked at
};

}  // namespace execseal
