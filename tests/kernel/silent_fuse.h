// SilentFuse: a FUSE file system with one file whose contents never come.
//
// Mounted over /dev/fuse without libfuse, in a mount namespace of its own, by a server process;
// every READ stays unanswered until the server ends, which aborts the connection and frees who
// waits. One with content is a copy of another file, page by page, until it falls silent.
#pragma once

#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>

#include "tests/kernel/child_process.h"

namespace execseal {

class SilentFuse {
  public:
    explicit SilentFuse(const std::string& content = "")
        : shared_(static_cast<Shared*>(
              ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))),
          server_([&](int report) {
              content_.reset(::open(content.c_str(), O_RDONLY | O_CLOEXEC));
              serve(report);
          }) {
        shared_->silent = content.empty();
        ready_ = server_.receive(mounted_) && mounted_;
    }
    SilentFuse(const SilentFuse&) = delete;
    SilentFuse& operator=(const SilentFuse&) = delete;
    SilentFuse(SilentFuse&&) = delete;
    SilentFuse& operator=(SilentFuse&&) = delete;
    ~SilentFuse() {
        end();
        (void)::munmap(shared_, 4096);
    }
    [[nodiscard]] bool ready() const { return ready_; }
    // Through the server's root: others need not be in its mount namespace.
    [[nodiscard]] std::string file() const { return directory() + "/file"; }
    [[nodiscard]] std::string directory() const {
        return "/proc/" + std::to_string(server_.pid()) + "/root/mnt";
    }
    void end() { server_.end(); }
    [[nodiscard]] pid_t server() const { return server_.pid(); }
    void fall_silent() { shared_->silent = true; }
    // How long it takes for each page.
    void slow_down(std::chrono::microseconds time) { shared_->read_us = time.count(); }
    // Waits for a READ that stays unanswered.
    [[nodiscard]] bool has_unanswered_read() {
        bool unanswered = false;
        return server_.receive(unanswered) && unanswered;
    }

  private:
    void serve(int report) {
        const int fuse = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
        char options[96];
        (void)std::snprintf(options, sizeof options,
                            "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse);
        const bool mounted = fuse >= 0 && ::unshare(CLONE_NEWNS) == 0 &&
                             ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                             ::mount("silent", "/mnt", "fuse", MS_NOSUID | MS_NODEV, options) == 0;
        ChildProcess::send(report, mounted);
        if (!mounted) {
            return;
        }
        alignas(8) static std::array<char, 1U << 18U> request;
        for (;;) {
            const ssize_t got = ::read(fuse, request.data(), request.size());
            if (got < static_cast<ssize_t>(sizeof(fuse_in_header))) {
                return;
            }
            answer(fuse, report, request.data());
        }
    }

    template <class Body>
    static void reply(int fuse, std::uint64_t unique, const Body& body) {
        std::array<char, sizeof(fuse_out_header) + sizeof(Body)> message{};
        const fuse_out_header header{static_cast<std::uint32_t>(message.size()), 0, unique};
        std::memcpy(message.data(), &header, sizeof header);
        std::memcpy(message.data() + sizeof header, &body, sizeof body);
        (void)!::write(fuse, message.data(), message.size());
    }
    // False: not answered.
    bool give_content(int fuse, const fuse_in_header& in, const char* request) {
        if (shared_->silent) {
            return false;
        }
        const timespec time{0, shared_->read_us * 1000};
        (void)::nanosleep(&time, nullptr);
        fuse_read_in wanted{};
        std::memcpy(&wanted, request + sizeof in, sizeof wanted);
        static std::array<char, sizeof(fuse_out_header) + (1U << 17U)> message;
        const std::size_t size = std::min<std::size_t>(wanted.size, 1U << 17U);
        const ssize_t got = ::pread(content_.get(), message.data() + sizeof(fuse_out_header), size,
                                    static_cast<off_t>(wanted.offset));
        const std::size_t length = sizeof(fuse_out_header) + static_cast<std::size_t>(got);
        const fuse_out_header header{static_cast<std::uint32_t>(length), 0, in.unique};
        std::memcpy(message.data(), &header, sizeof header);
        return got >= 0 && ::write(fuse, message.data(), length) > 0;
    }
    [[nodiscard]] fuse_attr attributes(std::uint64_t node) const {
        fuse_attr attr{};
        attr.ino = node;
        attr.mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0755;
        attr.nlink = 1;
        struct stat info {};
        const bool has_content = content_.valid() && ::fstat(content_.get(), &info) == 0;
        const auto size = static_cast<std::uint64_t>(info.st_size);
        attr.size = node == 1 ? 0 : has_content ? size : 65536;
        return attr;
    }
    void answer(int fuse, int report, const char* request) {
        fuse_in_header in{};
        std::memcpy(&in, request, sizeof in);
        switch (in.opcode) {
            case FUSE_INIT: {
                fuse_init_out out{};
                out.major = FUSE_KERNEL_VERSION;
                out.minor = 31;
                out.max_write = 4096;
                reply(fuse, in.unique, out);
                break;
            }
            case FUSE_LOOKUP: {
                fuse_entry_out out{};
                out.nodeid = 2;
                out.attr = attributes(2);
                out.attr_valid = 3600;
                out.entry_valid = 3600;
                // "stuck": a name whose lookup itself never comes back.
                if (std::strcmp(request + sizeof in, "stuck") != 0) {
                    reply(fuse, in.unique, out);
                }
                break;
            }
            case FUSE_GETATTR: {
                fuse_attr_out out{};
                out.attr = attributes(in.nodeid);
                out.attr_valid = 3600;
                reply(fuse, in.unique, out);
                break;
            }
            case FUSE_OPEN:
            case FUSE_OPENDIR: {
                reply(fuse, in.unique, fuse_open_out{});
                break;
            }
            case FUSE_READ:
                if (!give_content(fuse, in, request)) {
                    ChildProcess::send(report, true);
                }
                break;
            case FUSE_FORGET:
            case FUSE_INTERRUPT:
                break;
            default: {
                const fuse_out_header out{sizeof out, -ENOSYS, in.unique};
                (void)!::write(fuse, &out, sizeof out);
                break;
            }
        }
    }

    struct Shared {  // with the server
        std::atomic<bool> silent;
        std::atomic<long> read_us;
    };
    Shared* shared_;
    UniqueFd content_;  // the server's
    ChildProcess server_;
    bool mounted_ = false;
    bool ready_ = false;
};

}  // namespace execseal
