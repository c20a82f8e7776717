// TinyRoot: a child that lives as a container's process does, with nothing of the host in its view.
//
// Own PID and mount namespaces, a tmpfs as root (pivot_root), its own /proc, and a few real
// programs copied in. The test's body runs in it as PID 1 and then sleeps.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "tests/kernel/child_process.h"

namespace execseal {

class TinyRoot {
  public:
    // `populate` runs with the new root at `root` (no slash at the end), `inside` after the pivot.
    TinyRoot(std::function<void(const std::string& root)> populate, std::function<void()> inside)
        : outer_([&](int report) { start(report, populate, inside); }) {
        ready_ = outer_.receive(pid_) && pid_ > 0;
    }
    TinyRoot(const TinyRoot&) = delete;
    TinyRoot& operator=(const TinyRoot&) = delete;
    TinyRoot(TinyRoot&&) = delete;
    TinyRoot& operator=(TinyRoot&&) = delete;
    ~TinyRoot() {
        // Not left to PR_SET_PDEATHSIG: a change of ids takes that away, prctl(2). The outer
        // process has not reaped it, so the number is still its own.
        if (ready_) {
            (void)::kill(pid_, SIGKILL);
        }
    }
    // The root cannot be made without CAP_SYS_ADMIN.
    [[nodiscard]] bool ready() const { return ready_; }
    [[nodiscard]] Tid tid() const { return Tid{pid_}; }
    [[nodiscard]] std::string path(const std::string& inside) const {
        return "/proc/" + std::to_string(pid_) + "/root" + inside;
    }

  private:
    static void start(int report, const std::function<void(const std::string&)>& populate,
                      const std::function<void()>& inside) {
        int ends[2] = {-1, -1};
        if (::unshare(CLONE_NEWNS | CLONE_NEWPID) != 0 || ::pipe2(ends, O_CLOEXEC) != 0) {
            ChildProcess::send(report, pid_t{-1});
            return;
        }
        const pid_t pid = ::fork();
        if (pid == 0) {
            (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
            const bool pivoted = enter(populate);
            if (pivoted) {
                inside();
            }
            ChildProcess::send(ends[1], pivoted);
            for (;;) {
                (void)::pause();
            }
        }
        bool pivoted = false;
        (void)!::read(ends[0], &pivoted, sizeof pivoted);
        ChildProcess::send(report, pivoted ? pid : pid_t{-1});
    }

    static bool enter(const std::function<void(const std::string&)>& populate) {
        if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("tiny", "/mnt", "tmpfs", 0, "mode=755") != 0) {
            return false;
        }
        for (const char* directory : {"/mnt/old", "/mnt/proc", "/mnt/bin", "/mnt/tmp"}) {
            (void)::mkdir(directory, 0755);
        }
        populate("/mnt");
        return ::syscall(SYS_pivot_root, "/mnt", "/mnt/old") == 0 && ::chdir("/") == 0 &&
               ::umount2("/old", MNT_DETACH) == 0 &&
               ::mount("proc", "/proc", "proc", 0, nullptr) == 0;
    }

    ChildProcess outer_;
    pid_t pid_ = 0;
    bool ready_ = false;
};

inline void write_file(const std::string& path, const std::string& text, mode_t mode = 0755) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    (void)::chmod(path.c_str(), mode);
}

inline void copy_program(const std::string& from, const std::string& to) {
    std::filesystem::create_directories(std::filesystem::path(to).parent_path());
    std::filesystem::copy_file(from, to);  // follows links
    (void)::chmod(to.c_str(), 0755);
}

}  // namespace execseal
