#include "hook/cli/parallel.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <system_error>
#include <thread>
#include <vector>

namespace execseal {

void in_parallel(std::size_t count, const std::function<void(std::size_t)>& work) {
    static constexpr unsigned kMostThreads = 4;
    static constexpr std::size_t kSlice = 64;
    std::atomic<std::size_t> next{0};
    const auto run = [&] {
        for (std::size_t start = next.fetch_add(kSlice); start < count;
             start = next.fetch_add(kSlice)) {
            for (std::size_t i = start; i < std::min(start + kSlice, count); ++i) {
                work(i);
            }
        }
    };
    std::vector<std::future<void>> others;
    const unsigned threads =
        count <= kSlice ? 1 : std::min(std::thread::hardware_concurrency(), kMostThreads);
    for (unsigned i = 1; i < threads; ++i) {
        try {
            others.push_back(std::async(std::launch::async, run));
        } catch (const std::system_error&) {
            break;  // no more threads: this one does what is left
        }
    }
    run();
    for (const std::future<void>& other : others) {
        other.wait();
    }
}

}  // namespace execseal
