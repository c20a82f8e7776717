// SilentFuse: a FUSE file system with one file whose contents never come.
//
// Mounted over /dev/fuse without libfuse, in a mount namespace of its own, by a server process;
// every READ stays unanswered until the server ends, which aborts the connection and frees who
// waits.
#pragma once

#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/kernel/child_process.h"

namespace execseal {

class SilentFuse {
  public:
    SilentFuse() : server_([](int report) { serve(report); }) {
        ready_ = server_.receive(mounted_) && mounted_;
    }
    [[nodiscard]] bool ready() const { return ready_; }
    // Through the server's root: others need not be in its mount namespace.
    [[nodiscard]] std::string file() const { return directory() + "/file"; }
    [[nodiscard]] std::string directory() const {
        return "/proc/" + std::to_string(server_.pid()) + "/root/mnt";
    }
    void end() { server_.end(); }

  private:
    static void serve(int report) {
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
            answer(fuse, request.data());
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
    static fuse_attr attributes(std::uint64_t node) {
        fuse_attr attr{};
        attr.ino = node;
        attr.mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0755;
        attr.nlink = 1;
        attr.size = node == 1 ? 0 : 65536;
        return attr;
    }
    static void answer(int fuse, const char* request) {
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

    ChildProcess server_;
    bool mounted_ = false;
    bool ready_ = false;
};

}  // namespace execseal
