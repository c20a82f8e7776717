#include "hook/gate/study_judge.h"

#include <cerrno>
#include <utility>

#include "config/built_in_rules.h"
#include "hook/os/log.h"

namespace execseal {

Decision refusal(int error, const char* rule, std::string reason) {
    Decision decision;
    decision.error = error;
    decision.judgement.deny_errno = error;
    decision.judgement.rule = rule;
    decision.judgement.reason = std::move(reason);
    return decision;
}

namespace {

// Of an exec of which no more is known than the path that it asks for.
Decision refusal_of(const ExecSnapshot& snapshot, int error, const char* rule, std::string reason) {
    Decision decision = refusal(error, rule, std::move(reason));
    decision.requested = snapshot.path;
    return decision;
}

}  // namespace

void StudyJudge::learn_root(ExecStudy study) {
    if (study.program.outcome == ProgramOutcome::kFound) {
        root_ = std::move(study.program.root);
        return;
    }
    root_failure_ = std::move(study.program.reason);
    log_error("the container's root: " + *root_failure_);
}

Decision StudyJudge::judge(ExecStudy& study, Via via, const Lineage& lineage, const Terms& terms) {
    const ExecSnapshot& snapshot = study.snapshot;
    switch (snapshot.outcome) {
        case SnapshotOutcome::kGone: {
            Decision gone;
            gone.ruling = Ruling::kGone;
            return gone;
        }
        case SnapshotOutcome::kUnreadable:
        case SnapshotOutcome::kLarge:  // the gate has it read again
            return refusal(EACCES, built_in_rule::kUnreadable, snapshot.reason);
        case SnapshotOutcome::kBlocked:
            return refusal(EACCES, built_in_rule::kBlocked, snapshot.reason);
        case SnapshotOutcome::kRefused:
            return refusal_of(snapshot, snapshot.error, built_in_rule::kKernel, snapshot.reason);
        case SnapshotOutcome::kComplete:
            break;
    }
    const Program& program = study.program;
    if (program.outcome != ProgramOutcome::kFound) {
        const bool kernel = program.outcome == ProgramOutcome::kRefused;
        return refusal_of(snapshot, kernel ? program.error : EACCES,
                          kernel ? built_in_rule::kKernel : built_in_rule::kUnresolved,
                          program.reason);
    }
    if (root_failure_) {
        return refusal_of(snapshot, EACCES, built_in_rule::kUnresolved,
                          "the container's root: " + *root_failure_);
    }
    if (!root_) {
        root_ = program.root;
    }
    auto facts = id_maps_ ? build_facts(study, via, *id_maps_)
                          : make_error("the container's user namespace could not be looked at");
    if (!facts) {
        return refusal_of(snapshot, EACCES, built_in_rule::kUnresolved, facts.error().text());
    }
    facts->lineage = lineage;
    return judge_facts(std::move(*facts), terms);
}

Decision StudyJudge::judge_facts(ExecFacts facts, const Terms& terms) {
    Decision decision;
    decision.judgement = judge_with_floor(terms.policy, terms.floor_or_null(), facts, terms.mode);
    decision.facts = std::move(facts);
    switch (decision.judgement.verdict) {
        case Verdict::kDeny:
            decision.error = decision.judgement.deny_errno;
            break;
        case Verdict::kKill:
            decision.ruling = Ruling::kKill;
            break;
        case Verdict::kAudit:
        case Verdict::kAllow:
            decision.ruling = Ruling::kAllow;
            break;
    }
    return decision;
}

}  // namespace execseal
