#include "hook/gate/study_judge.h"

#include <cerrno>
#include <utility>

#include "config/built_in_rules.h"
#include "hook/os/log.h"

namespace execseal {

void refuse(ExecEvent& event, int error, const char* rule, std::string reason) {
    event.judgement = Judgement{};
    event.judgement.deny_errno = error;
    event.judgement.rule = rule;
    event.judgement.reason = std::move(reason);
    event.error = error;
}

void StudyJudge::learn_root(ExecStudy study) {
    if (study.program.outcome == ProgramOutcome::kFound) {
        root_ = std::move(study.program.root);
        return;
    }
    root_failure_ = std::move(study.program.reason);
    log_error("the container's root: " + *root_failure_);
}

ExecInput StudyJudge::judge(const ExecStudy& study, Via via, ExecEvent& event) {
    const ExecSnapshot& snapshot = study.snapshot;
    switch (snapshot.outcome) {
        case SnapshotOutcome::kGone:
            return ExecInput::kGone;
        case SnapshotOutcome::kUnreadable:
            refuse(event, EACCES, built_in_rule::kUnreadable, snapshot.reason);
            return ExecInput::kRefused;
        case SnapshotOutcome::kBlocked:
            refuse(event, EACCES, built_in_rule::kBlocked, snapshot.reason);
            return ExecInput::kRefused;
        case SnapshotOutcome::kRefused:
            event.requested = snapshot.path;
            refuse(event, snapshot.error, built_in_rule::kKernel, snapshot.reason);
            return ExecInput::kRefused;
        case SnapshotOutcome::kComplete:
            break;
    }
    const Program& program = study.program;
    if (program.outcome != ProgramOutcome::kFound) {
        event.requested = snapshot.path;
        const bool kernel = program.outcome == ProgramOutcome::kRefused;
        refuse(event, kernel ? program.error : EACCES,
               kernel ? built_in_rule::kKernel : built_in_rule::kUnresolved, program.reason);
        return ExecInput::kRefused;
    }
    if (root_failure_) {
        event.requested = snapshot.path;
        refuse(event, EACCES, built_in_rule::kUnresolved,
               "the container's root: " + *root_failure_);
        return ExecInput::kRefused;
    }
    if (!root_) {
        root_ = program.root;
    }
    auto facts = id_maps_ ? build_facts(study, via, *id_maps_)
                          : make_error("the container's user namespace could not be looked at");
    if (!facts) {
        event.requested = snapshot.path;
        refuse(event, EACCES, built_in_rule::kUnresolved, facts.error().text());
        return ExecInput::kRefused;
    }
    event.facts = std::move(*facts);
    return judge_facts(event);
}

ExecInput StudyJudge::judge_facts(ExecEvent& event) const {
    event.judgement = judge_with_floor(policy_, floor_, *event.facts, mode_);
    event.error = 0;
    switch (event.judgement.verdict) {
        case Verdict::kDeny:
            event.error = event.judgement.deny_errno;
            return ExecInput::kRefused;
        case Verdict::kKill:
            return ExecInput::kKillVerdict;
        case Verdict::kAudit:
        case Verdict::kAllow:
            return ExecInput::kAllowed;
    }
    return ExecInput::kRefused;
}

}  // namespace execseal
