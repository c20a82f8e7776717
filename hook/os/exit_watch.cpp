#include "hook/os/exit_watch.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace execseal {
namespace {

class RealExitWatch final : public ExitWatch {
  public:
    RealExitWatch(UniqueFd epoll, std::size_t limit) : epoll_(std::move(epoll)), limit_(limit) {}

    Result<WatchReach> watch(Tgid process) override {
        if (pidfds_.size() >= limit_) {
            return WatchReach::kFull;
        }
        UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.value, 0)));
        if (!pidfd.valid()) {
            switch (errno) {
                case ESRCH:
                case EINVAL:  // not a leader (any more): the process that had this number is gone
                case ENOENT:  // the same since Linux 6.14
                    return WatchReach::kGone;
                case EMFILE:
                case ENFILE:
                    return WatchReach::kFull;
                default:
                    return Error{errno, "pidfd_open"};
            }
        }
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = static_cast<std::uint64_t>(process.value);
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, pidfd.get(), &event) != 0) {
            return Error{errno, "epoll_ctl of a pidfd"};
        }
        pidfds_[process] = std::move(pidfd);
        return WatchReach::kDone;
    }

    void forget(Tgid process) override { pidfds_.erase(process); }

    void drain(std::vector<Tgid>& ended) override {
        std::array<epoll_event, 256> ready{};
        while (true) {
            const int count =
                ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 0);
            for (int i = 0; i < count; ++i) {
                const auto& event = ready.at(static_cast<std::size_t>(i));
                const Tgid process{static_cast<pid_t>(event.data.u64)};
                pidfds_.erase(process);  // closing takes it out of the set
                ended.push_back(process);
            }
            if (count < static_cast<int>(ready.size())) {
                return;
            }
        }
    }

  private:
    UniqueFd epoll_;
    std::size_t limit_;
    std::unordered_map<Tgid, UniqueFd> pidfds_;
};

}  // namespace

Result<std::unique_ptr<ExitWatch>> open_exit_watch(std::size_t limit) {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll.valid()) {
        return Error{errno, "epoll_create1"};
    }
    return std::unique_ptr<ExitWatch>(std::make_unique<RealExitWatch>(std::move(epoll), limit));
}

}  // namespace execseal
