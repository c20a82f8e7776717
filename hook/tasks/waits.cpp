#include "hook/tasks/waits.h"

#include <thread>
#include <utility>

#include "hook/os/check.h"

namespace execseal {

// waitpid(2) has no error for these arguments but ECHILD and EINTR, which are values by now.
std::optional<Stop> Waits::try_wait(Tid tid) {
    Result<std::optional<Stop>> waited = wait_.try_wait(tid);
    CHECK(waited.has_value());
    return std::move(waited).value();
}

std::optional<Stop> Waits::poll(Tid tid) {
    if (attachments_.has_executed(tid)) {
        return std::nullopt;
    }
    std::optional<Stop> stop = poll_any(tid);
    if (stop && attachments_.has_executed(tid)) {
        attachments_.find(tid)->seen = false;
        return std::nullopt;
    }
    return stop;
}

std::optional<Stop> Waits::poll_any(Tid tid) {
    attachments_.check_thread();
    Attachment* attachment = attachments_.find(tid);
    if (attachment == nullptr) {
        return stop::Gone{};
    }
    if (attachment->held) {
        return std::nullopt;
    }
    if (attachment->stop) {
        if (std::exchange(attachment->seen, true)) {
            return std::nullopt;
        }
        return attachment->stop;
    }
    std::optional<Stop> news = try_wait(tid);
    if (!news) {
        return std::nullopt;
    }
    return give_news(tid, *news);
}

std::optional<Stop> Waits::poll_exec(Tid caller, Tgid process) {
    const Tid leader{process.value};
    if (caller == leader) {
        return poll_any(caller);
    }
    if (Attachment* own = attachments_.find(caller)) {
        const PtraceOptions options = own->options;
        std::optional<Stop> news = poll_any(caller);
        if (!news || !std::holds_alternative<stop::Gone>(*news)) {
            return news;
        }
        // Either it is really gone, or it has become the leader: then the leader is ours to wait
        // for.
        std::optional<Stop> renamed = try_wait(leader);
        if (renamed && std::holds_alternative<stop::Gone>(*renamed)) {
            return renamed;
        }
        attachments_.suspect_orphan_of(leader);
        (void)attachments_.attach(leader, options);
        if (!renamed) {
            return std::nullopt;
        }
        return give_news(leader, *renamed);
    }
    return poll_any(leader);
}

Stop Waits::give_news(Tid tid, Stop stop) {
    Stop taken = take_news(tid, stop);
    if (Attachment* stopped = attachments_.find(tid)) {
        stopped->seen = true;
    }
    return taken;
}

Stop Waits::take_news(Tid tid, Stop stop) {
    if (is_end(stop)) {
        attachments_.end(tid);
        return stop;
    }
    Attachment* attachment = attachments_.find(tid);
    CHECK(attachment != nullptr);
    const PtraceOptions options = attachment->options;
    attachment->told = true;
    auto* event = std::get_if<stop::Event>(&stop);
    const bool exec = is_exec(stop);
    if (is_birth(stop) || exec) {
        const Result<std::optional<std::uint64_t>> message = ptrace_.event_message(tid);
        // A thread that has taken the number since tells its own former one (of its exec).
        const bool another_tells = is_birth(stop) && attachments_.expects_exec(tid) && message &&
                                   *message &&
                                   attachments_.contains(Tid{static_cast<pid_t>(**message)});
        if (!message || !*message || another_tells) {
            // Killed in its stop. The child, if there is one, is as unknown as if the creator had
            // died before the event.
            event->message = 0;
            if (is_birth(stop)) {
                attachments_.suspect_orphan();
            }
        } else {
            event->message = **message;
            const Tid other{static_cast<pid_t>(**message)};
            if (exec) {
                attachments_.rename(other, tid);
            } else {
                attachments_.adopt_child(options, other);
            }
        }
    }
    attachment = attachments_.find(tid);  // adopting may have moved it
    attachment->stop = stop;
    attachment->seen = false;
    if (exec && attachments_.expects_exec(tid)) {
        attachment->leaving = false;  // that was for the leader, whose number this thread has taken
    }
    return stop;
}

std::optional<Stop> Waits::take(Tid tid) {
    std::optional<Stop> news = try_wait(tid);
    return news ? std::optional(take_news(tid, *news)) : std::nullopt;
}

bool Waits::try_reap(Tid tid) {
    attachments_.check_thread();
    if (!attachments_.contains(tid)) {
        return true;
    }
    const std::optional<Stop> news = take(tid);
    return news && is_end(*news);
}

const std::vector<Tid>& Waits::sweep() {
    attachments_.check_thread();
    swept_.clear();
    attachments_.swept();
    // Ends by itself: a tracee that is not resumed gives at most a stop and its end.
    while (true) {
        Result<AnyNews> news = wait_.try_wait_any();
        CHECK(news.has_value());  // as in try_wait()
        if (news->kind == AnyNews::Kind::kNoTracee) {
            // Not one tracee in the kernel: there is no stray either. Tasks that are recorded here
            // have been renamed by an exec or reaped; their owners will find them gone.
            attachments_.has_no_strays();
        }
        if (news->kind != AnyNews::Kind::kStop) {
            return swept_;
        }
        if (attachments_.contains(news->tid)) {
            swept_.push_back(news->tid);
        } else if (is_end(news->what)) {
            continue;  // a child that was killed before anybody knew it
        } else if (attachments_.expects_exec(news->tid) || is_exec(news->what)) {
            // Not a child: a thread that has taken its leader's number in its exec, and must not
            // run before its caller's flow has verified it.
            attachments_.attach(news->tid, kExecOptions).told = true;
        } else {
            attachments_.attach(news->tid, kForkOptions).told = true;
            attachments_.add_stray(news->tid);
        }
        (void)take_news(news->tid, news->what);
    }
}

std::optional<Awaited> Waits::known_of(Tid tid) const {
    attachments_.check_thread();
    const Attachment* attachment = attachments_.find(tid);
    if (attachment == nullptr) {
        return Awaited::kEnded;
    }
    return attachment->stop ? std::optional(Awaited::kStopped) : std::nullopt;
}

Awaited Waits::look(Tid tid) {
    if (const auto known = known_of(tid)) {
        return *known;
    }
    std::optional<Stop> news = take(tid);
    if (!news) {
        std::this_thread::yield();  // one that was interrupted just now may need this CPU
        news = take(tid);
    }
    if (!news) {
        return Awaited::kTick;
    }
    return is_end(*news) ? Awaited::kEnded : Awaited::kStopped;
}

Awaited Waits::await(Tid tid) {
    if (const auto known = known_of(tid)) {
        return *known;
    }
    Result<std::optional<Stop>> waited = wait_.wait(tid);
    CHECK(waited.has_value());  // as in try_wait()
    std::optional<Stop> news = std::move(waited).value();
    if (!news) {
        return Awaited::kTick;
    }
    return is_end(take_news(tid, *news)) ? Awaited::kEnded : Awaited::kStopped;
}

void Waits::hold(Tid tid) {
    if (Attachment* attachment = attachments_.find(tid)) {
        attachment->held = true;
    }
}

void Waits::unhold(Tid tid) {
    if (Attachment* attachment = attachments_.find(tid)) {
        attachment->held = false;
    }
}

}  // namespace execseal
