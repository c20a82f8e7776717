#include "hook/supervisor/policy_files.h"

#include <poll.h>

#include <filesystem>
#include <set>
#include <utility>

#include "hook/os/log.h"

namespace execseal {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kTogether{100};

std::set<std::string> folders_of(const std::vector<std::string>& paths) {
    std::set<std::string> folders;
    for (const fs::path path : paths) {
        folders.insert(path.parent_path());
        std::error_code code;
        const fs::path real = fs::canonical(path, code);
        if (!code) {
            folders.insert(real.parent_path());
        }
    }
    return folders;
}

}  // namespace

PolicyFiles::PolicyFiles(EventLoop& loop, std::vector<std::string> paths,
                         std::function<void()> changed)
    : loop_(loop), paths_(std::move(paths)), changed_(std::move(changed)) {
    watch();
}

PolicyFiles::~PolicyFiles() {
    forget();
}

void PolicyFiles::forget() {
    if (watch_) {
        loop_.remove(watch_->fd());
        watch_.reset();
    }
}

void PolicyFiles::watch() {
    for (const std::string& folder : folders_of(paths_)) {
        Result<> watched = Ok{};
        if (watch_) {
            watched = watch_->add(folder);
        } else if (auto opened = DirectoryWatch::open(folder)) {
            watch_ = std::move(*opened);
        } else {
            watched = opened.error();
        }
        if (!watched) {
            log_warning(
                "changes in " + folder +
                " are not seen, only `execseal reload` tells of them: " + watched.error().text());
        }
    }
    if (watch_) {
        loop_.add(watch_->fd(), POLLIN, [this](short) {
            if (watch_->drain() && !due_) {
                due_ = Clock::now() + kTogether;
            }
        });
    }
}

void PolicyFiles::on_deadline(Clock::time_point now) {
    if (!due_ || now < *due_) {
        return;
    }
    due_.reset();
    forget();
    watch();  // before the files are read, so that no change comes between
    changed_();
}

}  // namespace execseal
