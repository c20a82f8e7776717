#include "hook/os/expendable.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <mutex>

#include "hook/os/check.h"
#include "hook/os/privileges.h"
#include "hook/os/procfs.h"

namespace execseal {
namespace {

using Clock = std::chrono::steady_clock;

// Killed processes that had not ended when we let go of them: pidfds, so that a number that went to
// somebody else is never waited for.
class Abandoned {
  public:
    void add(UniqueFd pidfd) {
        const std::lock_guard lock(mutex_);
        pidfds_.push_back(std::move(pidfd));
    }
    void reap() {
        const std::lock_guard lock(mutex_);
        std::erase_if(pidfds_, [](const UniqueFd& fd) {
            siginfo_t info{};
            const int failed =
                ::waitid(P_PIDFD, static_cast<id_t>(fd.get()), &info, WEXITED | WNOHANG | __WALL);
            return failed != 0 || info.si_pid != 0;
        });
    }
    [[nodiscard]] std::size_t count() {
        const std::lock_guard lock(mutex_);
        return pidfds_.size();
    }

  private:
    std::mutex mutex_;
    std::vector<UniqueFd> pidfds_;
};

// So many processes that SIGKILL does not end mean a file system that hangs for good; more of them
// would only eat the node.
constexpr std::size_t kMaxAbandoned = 64;

// The memory of a larger reply is given back before the next job.
constexpr std::size_t kKeptReply = 1U << 20U;

Abandoned& abandoned() {
    static Abandoned list;
    return list;
}

union FdControl {
    cmsghdr header;
    std::array<char, CMSG_SPACE(sizeof(int) * kMaxReplyFds)> room;
};

bool send_reply(int socket, std::uint64_t size, const std::vector<UniqueFd>& fds) {
    FdControl control{};
    iovec data{&size, sizeof size};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
        std::array<int, kMaxReplyFds> numbers{};
        const std::size_t count = std::min(fds.size(), numbers.size());
        for (std::size_t i = 0; i < count; ++i) {
            numbers[i] = fds[i].get();
        }
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        std::memcpy(CMSG_DATA(header), numbers.data(), sizeof(int) * count);
    }
    return ::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof size);
}

// Nothing of the parent's may stay open here, and nothing that a terminal or a service manager
// sends to the supervisor's process group may end this one: only its owner's SIGKILL or death does.
int leave_everything_but(int socket) {
    sigset_t all;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, nullptr);
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)::prctl(PR_SET_NAME, "execseal-reader");
    // 3 and up are closed but the socket; 0-2 become /dev/null, so that nothing printed can land in
    // a file of the container.
    const int kept = ::fcntl(socket, F_DUPFD_CLOEXEC, 3);
    (void)::syscall(SYS_close_range, 0U, static_cast<unsigned>(kept - 1), 0U);
    (void)::syscall(SYS_close_range, static_cast<unsigned>(kept + 1), UINT_MAX, 0U);
    for (int i = 0; i < 3; ++i) {
        (void)::open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    (void)!::chdir("/");
    // As the supervisor's, which could not choose our CPU otherwise (kernel: cap_safe_nice()).
    // Where it fails there is nothing to give up: whoever has these capabilities can also drop the
    // others.
    (void)keep_supervisor_capabilities();
    return kept;
}

[[noreturn]] void serve(int socket, const ExpendableWork& work, std::span<std::byte> room,
                        pid_t parent) {
    socket = leave_everything_but(socket);
    // The parent may have died before PR_SET_PDEATHSIG was in force.
    if (::getppid() != parent) {
        ::_exit(1);
    }
    std::array<std::byte, kMaxJob> job{};
    for (;;) {
        const ssize_t got = ::recv(socket, job.data(), job.size(), 0);
        if (got <= 0) {
            ::_exit(0);
        }
        std::vector<UniqueFd> fds;
        const std::size_t size =
            work(std::span(job).first(static_cast<std::size_t>(got)), room, fds);
        if (!send_reply(socket, size, fds)) {
            ::_exit(1);
        }
    }
}

int milliseconds_until(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<long>(left, 0, 1000L * 3600));
}

}  // namespace

Result<Expendable> Expendable::start(const ExpendableWork& work, std::size_t room) {
    abandoned().reap();
    if (abandoned().count() >= kMaxAbandoned) {
        return make_error("reader process: too many of them hang in the kernel already");
    }
    Expendable process;
    void* shared = ::mmap(nullptr, room, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared == MAP_FAILED) {
        return Error{errno, "reader process: mmap"};
    }
    process.shared_ = static_cast<std::byte*>(shared);
    process.room_ = room;
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return Error{errno, "reader process: socketpair"};
    }
    process.socket_.reset(ends[0]);
    const UniqueFd theirs(ends[1]);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) {
        return Error{errno, "reader process: fork"};
    }
    if (child == 0) {
        serve(theirs.get(), work, std::span(process.shared_, room), parent);
    }
    process.pid_ = child;
    // Those that are started later would keep its pages.
    (void)::madvise(shared, room, MADV_DONTFORK);
    process.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, child, 0U)));
    if (!process.pidfd_.valid()) {
        return Error{errno, "reader process: pidfd_open"};
    }
    return process;
}

Expendable::Expendable(Expendable&& other) noexcept {
    *this = std::move(other);
}

Expendable& Expendable::operator=(Expendable&& other) noexcept {
    if (this != &other) {
        end();
        socket_ = std::move(other.socket_);
        pidfd_ = std::move(other.pidfd_);
        pid_ = std::exchange(other.pid_, 0);
        shared_ = std::exchange(other.shared_, nullptr);
        room_ = std::exchange(other.room_, 0);
        reply_size_ = std::exchange(other.reply_size_, 0);
        cpu_ = std::exchange(other.cpu_, -1);
        busy_ = std::exchange(other.busy_, false);
        fds_ = std::move(other.fds_);
    }
    return *this;
}

Expendable::~Expendable() {
    end();
}

void Expendable::end() noexcept {
    if (pidfd_.valid()) {
        (void)::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0U);
        abandoned().add(std::move(pidfd_));
        abandoned().reap();
    }
    socket_.reset();
    if (shared_ != nullptr) {
        (void)::munmap(std::exchange(shared_, nullptr), room_);
    }
    busy_ = false;
}

// We sleep while it works, so it runs where we ran: waking an idle CPU for it costs seven times the
// round trip (70 us against 10 us on a two-CPU VM).
void Expendable::stay_on_this_cpu() {
    const int cpu = ::sched_getcpu();
    if (cpu < 0 || cpu == cpu_ || cpu >= CPU_SETSIZE) {
        return;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    if (::sched_setaffinity(pid_, sizeof set, &set) == 0) {
        cpu_ = cpu;
    }
}

Result<> Expendable::begin(std::span<const std::byte> job) {
    CHECK(!busy_ && job.size() <= kMaxJob && !job.empty());
    fds_.clear();
    if (reply_size_ > kKeptReply) {
        (void)::madvise(shared_, room_, MADV_REMOVE);
    }
    reply_size_ = 0;
    stay_on_this_cpu();
    if (::send(socket_.get(), job.data(), job.size(), MSG_NOSIGNAL) < 0) {
        return Error{errno, "reader process: send"};
    }
    busy_ = true;
    return Ok{};
}

ReplyState Expendable::wait(Clock::time_point deadline) {
    if (!busy_) {
        return ReplyState::kLost;
    }
    for (;;) {
        pollfd entry{socket_.get(), POLLIN, 0};
        const int ready = ::poll(&entry, 1, milliseconds_until(deadline));
        const int error = errno;
        if (ready > 0) {
            busy_ = false;
            return receive();
        }
        if (ready < 0 && error != EINTR) {
            return ReplyState::kLost;
        }
        if (Clock::now() >= deadline) {
            return ReplyState::kPending;
        }
    }
}

std::optional<std::uint64_t> Expendable::sleeping() const {
    const auto status = read_task_status(Tid{pid_});
    if (!status) {
        return 0;
    }
    const bool sleeps = status->state == 'S' || status->state == 'D';
    return sleeps ? std::optional(status->voluntary_switches) : std::nullopt;
}

ReplyState Expendable::receive() {
    std::uint64_t size = 0;
    FdControl control{};
    iovec data{&size, sizeof size};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0) {
        return ReplyState::kLost;
    }
    for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
            const std::size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < count; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
                fds_.emplace_back(fd);
            }
        }
    }
    if (got != static_cast<ssize_t>(sizeof size) || size > room_ ||
        (message.msg_flags & MSG_CTRUNC) != 0) {
        fds_.clear();
        return ReplyState::kLost;
    }
    reply_size_ = size;
    return ReplyState::kReady;
}

std::span<const std::byte> Expendable::reply() const {
    return std::span(shared_, reply_size_);
}

}  // namespace execseal
