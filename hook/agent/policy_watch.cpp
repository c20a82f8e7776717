#include "hook/agent/policy_watch.h"

#include <poll.h>

#include <filesystem>
#include <utility>

#include "hook/os/log.h"

namespace execseal {

namespace fs = std::filesystem;

PolicyWatch::PolicyWatch(EventLoop& loop, std::string directory)
    : loop_(loop), directory_(std::move(directory)) {
    auto watch = DirectoryWatch::open(directory_);
    if (!watch) {
        log_warning("policies: " + watch.error().text());
        return;
    }
    watch_ = std::move(*watch);
    loop_.add(watch_->fd(), POLLIN, [this](short) {
        if (watch_->drain()) {
            ++reloads_;
            load();
        }
    });
    load();
}

PolicyWatch::~PolicyWatch() {
    if (watch_) {
        loop_.remove(watch_->fd());
    }
}

void PolicyWatch::load() {
    policies_.clear();
    std::error_code failed;
    for (fs::directory_iterator entry(directory_, failed), end; !failed && entry != end;
         entry.increment(failed)) {
        const fs::path& path = entry->path();
        if (path.extension() != ".json") {
            continue;
        }
        const auto policy = Policy::load(path);
        policies_[path.stem()] = policy ? std::optional<Policy>(*policy) : std::nullopt;
        if (!policy) {
            log_error("policy " + policy.error().text());
        }
    }
    log_info("policies: " + std::to_string(policies_.size()) + " in " + directory_);
}

}  // namespace execseal
