// StudyJudge: the verdict on one exec, from what was read of it.
//
// Takes the reader's study, gives a decision with the facts that it stands on. What could not be
// read whole, or means nothing in the container, never comes before the policy: it is refused
// here. Learns once what names and ids mean in the container. Never blocks.
#pragma once

#include <optional>
#include <string>

#include "config/policy.h"
#include "config/settings.h"
#include "hook/exec/facts.h"
#include "hook/exec/study.h"
#include "hook/gate/judge.h"
#include "hook/gate/terms.h"

namespace execseal {

// What is to be done with an exec. kGone: nobody waits for an answer.
enum class Ruling { kRefuse, kKill, kAllow, kGone };

struct Decision {
    Ruling ruling = Ruling::kRefuse;
    int error = 0;  // of kRefuse: the answer, positive
    Judgement judgement;
    std::optional<ExecFacts> facts;  // absent when not all of it could be read or resolved
    std::string requested;  // the path asked for, where that much is known but `facts` is absent
};

// Without a rule of a policy: `rule` is a built-in one. `error`: positive errno.
Decision refusal(int error, const char* rule, std::string reason);

class StudyJudge {
  public:
    StudyJudge() = default;

    // What ids mean in the container; until it is known every exec is refused.
    void set_id_maps(IdMaps maps) { id_maps_ = std::move(maps); }
    // What names mean in the container is learnt from the first exec that is judged, not from a
    // later caller that may have made itself another root; or from a study of StudyScope::kRoot.
    // One that could not be made leaves every exec refused.
    void learn_root(ExecStudy study);
    [[nodiscard]] const std::optional<RootIdentity>& root() const { return root_; }
    [[nodiscard]] const std::optional<IdMaps>& id_maps() const { return id_maps_; }

    // Takes the views out of the study where it gives facts.
    [[nodiscard]] Decision judge(ExecStudy& study, Via via, const Lineage& lineage,
                                 const Terms& terms);

  private:
    [[nodiscard]] static Decision judge_facts(ExecFacts facts, const Terms& terms);

    std::optional<RootIdentity> root_;
    std::optional<std::string> root_failure_;
    std::optional<IdMaps> id_maps_;
};

}  // namespace execseal
