#include "hook/exec/reader.h"

#include <algorithm>
#include <array>

#include "hook/exec/study_wire.h"
#include "hook/exec/worker.h"
#include "hook/os/task_ids.h"

namespace execseal {
namespace {

// Address space only; pages come as they are written. A view has what it shares with the request
// once; where it shares nothing it carries its own.
constexpr std::size_t kRoom = 12 * kMaxArgTotal;
constexpr std::size_t kMaxIdle = 2;
constexpr int kMaxExtensions = 8;
// So many looks find it in another sleep each, before what it reads is too slow for anybody: a file
// of the 8 MiB that are searched at most (hook/exec/elf.cpp), in pages that take 25 ms each, for
// the usual deadline of a second.
constexpr int kMaxSleeps = 60;

// Costs something only once somebody has used CLONE_FS.
void add_sharers(StudyJob& job, const FsSharers& sharers) {
    if (sharers.empty()) {
        return;
    }
    const auto ids = read_task_ids(job.call.tid);
    const auto suspects = ids ? sharers.suspects(ids->tgid) : std::nullopt;
    if (!suspects) {
        return;
    }
    if (suspects->in_flight) {
        job.fs_trouble =
            "the caller's process is making one that shares its root and working directory";
    } else if (suspects->others.size() > FsSharers::kMost) {
        job.fs_trouble = "too many processes may share the caller's root and working directory";
    } else {
        job.fs_others = suspects->others;
    }
}

ExecStudy failed_study(const ExecCall& call, SnapshotOutcome outcome, std::string reason) {
    ExecStudy study;
    study.snapshot.call = call;
    study.snapshot.outcome = outcome;
    study.snapshot.reason = std::move(reason);
    study.program.reason = study.snapshot.reason;
    return study;
}

ExecStudy unpack(const ExecCall& call, Expendable& process) {
    ExecStudy study;
    FlatReader in(process.reply());
    get_study(in, study);
    std::vector<UniqueFd> fds = process.take_fds();
    const Program& program = study.program;
    if (!in.done() || fds.size() != program.files.size() ||
        program.view_files.size() != program.views.size()) {
        return failed_study(call, SnapshotOutcome::kUnreadable,
                            "the reader process gave no whole answer");
    }
    study.snapshot.call = call;
    study.caller.tid = call.tid;
    for (std::size_t i = 0; i < fds.size(); ++i) {
        study.program.files[i].fd = std::move(fds[i]);
    }
    return study;
}

}  // namespace

Result<Expendable> ExecReader::take_process() {
    if (!idle_.empty()) {
        Expendable process = std::move(idle_.back());
        idle_.pop_back();
        return process;
    }
    return Expendable::start(
        [worker = std::make_shared<StudyWorker>(mounts_)](auto job, auto room, auto& fds) {
            return worker->answer(job, room, fds);
        },
        kRoom);
}

void ExecReader::set_mounts(ContainerMounts mounts) {
    mounts_ = std::make_shared<const ContainerMounts>(std::move(mounts));
    idle_.clear();  // they were started without
}

Result<> ExecReader::warm_up() {
    auto process = take_process();
    if (!process) {
        return process.error();
    }
    idle_.push_back(std::move(*process));
    return Ok{};
}

ExecReader::Ticket ExecReader::begin(const ExecCall& call, StudyScope scope,
                                     const std::optional<RootIdentity>& container,
                                     std::size_t limit) {
    Ticket ticket;
    ticket.call_ = call;
    ticket.deadline_ = std::chrono::steady_clock::now() + deadline_;
    std::array<std::byte, kMaxJob> room{};
    FlatWriter job(room);
    StudyJob asked{.call = call,
                   .scope = scope,
                   .container = container,
                   .container_root = container_root_,
                   .fs_trouble = "",
                   .fs_others = {},
                   .limit = limit};
    if (sharers_ != nullptr) {
        ticket.fs_serial_ = sharers_->serial();
        add_sharers(asked, *sharers_);
    }
    put_job(job, asked);
    if (!job.fits()) {
        ticket.failure_ = "the container's root has too long a name";
        return ticket;
    }
    // An idle process may have been killed meanwhile (by the out-of-memory killer, say).
    for (int attempt = 0; attempt < 2 && !ticket.process_; ++attempt) {
        ticket.once_ = holds_much_ && idle_.empty();
        auto process = take_process();
        if (!process) {
            ticket.failure_ = process.error().text();
            return ticket;
        }
        if (const auto sent = process->begin(std::span(room).first(job.size())); sent) {
            ticket.process_ = std::move(*process);
        } else {
            ticket.failure_ = sent.error().text();
            idle_.clear();
        }
    }
    return ticket;
}

bool ExecReader::try_extend(Ticket& ticket, std::chrono::steady_clock::time_point now) const {
    const bool looked = now - ticket.deadline_ < deadline_ / 4;
    const auto sleep = looked ? ticket.process_->sleeping() : std::nullopt;
    const bool hangs = sleep && sleep == ticket.sleep_;
    int& times = sleep ? ticket.sleeps_ : ticket.extensions_;
    if (hangs || times == (sleep ? kMaxSleeps : kMaxExtensions)) {
        return false;
    }
    ++times;
    ticket.sleep_ = sleep;
    ticket.deadline_ = now + deadline_;
    return true;
}

std::string ExecReader::blocked_reason(const Ticket& ticket) const {
    return ticket.sleeps_ == kMaxSleeps
               ? "the caller's memory or program could not be read whole within " +
                     std::to_string((kMaxSleeps * deadline_).count()) +
                     " ms: its file system is too slow"
               : "no answer within " + std::to_string(deadline_.count()) +
                     " ms: a page or a mount of the caller hangs";
}

std::optional<ExecStudy> ExecReader::collect(Ticket& ticket,
                                             std::chrono::steady_clock::time_point until) {
    if (!ticket.process_) {
        return failed_study(ticket.call_, SnapshotOutcome::kUnreadable, ticket.failure_);
    }
    ReplyState state = ticket.process_->wait(std::min(until, ticket.deadline_));
    while (state == ReplyState::kPending) {
        const auto now = std::chrono::steady_clock::now();
        if (now >= ticket.deadline_ && !try_extend(ticket, now)) {
            break;
        }
        if (now >= until) {
            return std::nullopt;
        }
        state = ticket.process_->wait(std::min(until, ticket.deadline_));
    }
    Expendable process = std::move(*ticket.process_);
    ticket.process_.reset();
    ticket.failure_ = "collected already";
    switch (state) {
        case ReplyState::kReady: {
            ExecStudy study = unpack(ticket.call_, process);
            study.fs_serial = ticket.fs_serial_;
            if (mounts_ == nullptr && !study.program.mounts.empty() &&
                study.program.outcome == ProgramOutcome::kFound) {
                set_mounts(std::move(study.program.mounts));  // this process does not know them
                return study;
            }
            if (!ticket.once_ && idle_.size() < kMaxIdle && process.reply().size() <= kKeptReply) {
                idle_.push_back(std::move(process));
            }
            return study;
        }
        case ReplyState::kPending:
            return failed_study(ticket.call_, SnapshotOutcome::kBlocked, blocked_reason(ticket));
        case ReplyState::kLost:
            break;
    }
    return failed_study(ticket.call_, SnapshotOutcome::kUnreadable,
                        "the reader process ended before it answered");
}

ExecStudy ExecReader::study(const ExecCall& call, StudyScope scope,
                            const std::optional<RootIdentity>& container) {
    Ticket ticket = begin(call, scope, container);
    while (true) {
        if (auto study = collect(ticket, ticket.deadline())) {
            return std::move(*study);
        }
    }
}

}  // namespace execseal
