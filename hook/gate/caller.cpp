#include "hook/gate/caller.h"

#include <cerrno>
#include <csignal>

#include "hook/os/log.h"
#include "hook/os/pidfd.h"

namespace execseal {

bool ExecCaller::waits() const {
    const auto reach = listener_->id_valid(id_);
    return reach && *reach == NotifyReach::kDone;
}

bool ExecCaller::answer(const Answer& answer) {
    const auto reached = listener_->answer(id_, answer);
    if (!reached) {
        log_warning("answering a notification: " + reached.error().text());
    }
    return reached && *reached == NotifyReach::kDone;
}

void ExecCaller::kill() {
    // By pidfd, and only while the notification lives: the number is still the caller's then.
    const auto pidfd = open_pidfd(process_.value);
    if (pidfd && waits()) {
        (void)send_signal(pidfd->get(), SIGKILL);
    }
    (void)listener_->answer(id_, Answer::fail(EPERM));
}

}  // namespace execseal
