// RequestMemory: path, argv and envp of an exec in memory that a test shares with its forked child.
//
// Below 4 GiB, so that a 32-bit entry point can use it too. The test may change a byte after the
// child was forked, as a hostile peer would.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "hook/exec/arguments.h"

namespace execseal {

class RequestMemory {
  public:
    static constexpr std::size_t kSize = 16U << 20U;

    RequestMemory() {
        void* at = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        EXPECT_NE(at, MAP_FAILED);
        memory_ = static_cast<char*>(at);
    }
    RequestMemory(const RequestMemory&) = delete;
    RequestMemory& operator=(const RequestMemory&) = delete;
    RequestMemory(RequestMemory&&) = delete;
    RequestMemory& operator=(RequestMemory&&) = delete;
    ~RequestMemory() { (void)::munmap(memory_, kSize); }

    char* add_string(const std::string& text) {
        char* at = memory_ + used_;
        std::memcpy(at, text.c_str(), text.size() + 1);
        used_ += text.size() + 1;
        return at;
    }
    // The array that the child hands to the kernel; add_pointer() and end_array() fill it.
    template <class Word>
    void* add_array(const std::vector<std::string>& strings) {
        std::vector<Word> words;
        words.reserve(strings.size() + 1);
        for (const std::string& string : strings) {
            words.push_back(
                static_cast<Word>(reinterpret_cast<std::uintptr_t>(add_string(string))));
        }
        words.push_back(0);
        return add_words(words);
    }
    template <class Word>
    void* add_words(const std::vector<Word>& words) {
        used_ = (used_ + 15) & ~std::size_t{15};
        char* at = memory_ + used_;
        std::memcpy(at, words.data(), words.size() * sizeof(Word));
        used_ += words.size() * sizeof(Word);
        return at;
    }

    // A whole request, native or compat.
    void lay_out(const std::string& path, const std::vector<std::string>& argv,
                 const std::vector<std::string>& env, PointerWidth width = PointerWidth::k64) {
        path_ = add_string(path);
        const bool wide = width == PointerWidth::k64;
        argv_ = wide ? add_array<std::uint64_t>(argv) : add_array<std::uint32_t>(argv);
        envp_ = wide ? add_array<std::uint64_t>(env) : add_array<std::uint32_t>(env);
        width_ = width;
    }
    [[nodiscard]] ExecCall call(Tid tid, int dirfd = AT_FDCWD, unsigned flags = 0) const {
        ExecCall call;
        call.tid = tid;
        call.path = address(path_);
        call.argv = address(argv_);
        call.envp = address(envp_);
        call.dirfd = dirfd;
        call.flags = flags;
        call.width = width_;
        return call;
    }
    [[nodiscard]] char* path() const { return path_; }
    [[nodiscard]] char** argv() const { return static_cast<char**>(argv_); }
    [[nodiscard]] char** envp() const { return static_cast<char**>(envp_); }
    // The string that the i-th pointer of argv names.
    [[nodiscard]] char* argument(std::size_t i) const {
        std::uint64_t at = 0;
        const std::size_t size = width_ == PointerWidth::k64 ? 8 : 4;
        std::memcpy(&at, static_cast<char*>(argv_) + i * size, size);
        // NOLINTNEXTLINE(performance-no-int-to-ptr): compat pointers are numbers
        return reinterpret_cast<char*>(at);
    }

  private:
    static RemoteAddr address(const void* at) {
        return RemoteAddr{reinterpret_cast<std::uintptr_t>(at)};
    }

    char* memory_ = nullptr;
    std::size_t used_ = 0;
    char* path_ = nullptr;
    void* argv_ = nullptr;
    void* envp_ = nullptr;
    PointerWidth width_ = PointerWidth::k64;
};

}  // namespace execseal
