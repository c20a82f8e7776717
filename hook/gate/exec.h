// Exec: the record of one exec, from its notification to its event.
//
// What is known, decided and done is written here and nowhere else; the event is made of it at the
// end. Where it stands is `state` (exec_flow.h), which only ExecGate moves.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "hook/exec/arguments.h"
#include "hook/exec/reader.h"
#include "hook/gate/audit.h"
#include "hook/gate/binding.h"
#include "hook/gate/caller.h"
#include "hook/gate/exec_flow.h"
#include "hook/gate/session.h"
#include "hook/gate/study_judge.h"
#include "hook/gate/terms.h"
#include "hook/gate/writers.h"
#include "hook/os/event_loop.h"

namespace execseal {

// The first read, while it is under way. Its end kills the reader process.
struct ReadInFlight {
    ExecReader::Ticket ticket;
    LoopWatch watch;  // when it takes longer than anybody waits for it
};

struct Exec {
    using Clock = EventLoop::Clock;

    // Both outlive this; `from` until ExecInput::kEnd.
    Exec(Session& from, ExecBinder& binder, NotifyId id, const ExecCall& what, SharedTerms under)
        : terms(std::move(under)),
          traits(terms->traits),
          session(&from),
          caller(*from.notify, id, what.tid),
          binding(binder.binding_for(what.tid)),
          call(what) {
        traits.arm = binder.must_arm();
    }

    // The later decision counts; what the earlier one knew of the exec is kept where it knows less.
    void decide(Decision next) {
        if (!next.facts) {
            next.facts = std::move(decision.facts);
        }
        decision = std::move(next);
    }

    ExecState state = ExecState::kReading;
    SharedTerms terms;  // that it came under, until its end
    ExecTraits traits;  // of the terms; where nobody need stand still, without a freeze

    Session* session;
    ExecCaller caller;
    std::unique_ptr<ExecBinding> binding;  // null: it is over
    ExecCall call;
    Clock::time_point received = Clock::now();

    std::optional<ReadInFlight> reading;
    // Too large to be read beside others: waits for it, then is the only such one until its end.
    enum class Size { kUsual, kWantsToBeRead, kLarge };
    Size size = Size::kUsual;
    ExecStudy study;  // what was judged last
    TaskIds ids;      // the caller's, as first read; 0: not known
    pid_t container_pid = 0;

    Decision decision;
    GateReport gate;
    Writers writers;
    Lineage lineage;  // of what it executes
    Tid sleeper;      // in vfork(2), for this exec; 0: not known

    Clock::time_point frozen_at;
    std::optional<Clock::time_point> budget_end;  // while it holds the domain
    std::optional<Clock::time_point> answered;    // just before the answer
    std::optional<Clock::time_point> grace_end;
    std::optional<Clock::time_point> stall_look;  // whether it sleeps while it holds the domain
    int looks_asleep = 0;                         // in a row
    std::string event_id;  // of a record that was written before the answer; empty: none was
    std::optional<Clock::time_point> held_since;  // ExecInput::kHeld, for the first time
    std::optional<Clock::time_point> not_before;  // its next turn
    int kernel_error = 0;  // of the execve itself, positive; 0: none, or not known
};

// Takes what it needs out of the record.
ExecEvent event_of(Exec&& exec, Outcome outcome);

}  // namespace execseal
