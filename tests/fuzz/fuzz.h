// What the fuzz targets share: what must hold of whatever they are given, and words made of bytes.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "hook/os/unique_fd.h"

// One input; each target defines it. libFuzzer calls it, or replay.cpp.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace execseal::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

// What does not hold is a finding.
inline void require(bool holds, const char* what) {
    if (!holds) {
        (void)std::fprintf(stderr, "does not hold: %s\n", what);
        std::abort();
    }
}

// Takes an input apart; past its end there are zeros.
class Bytes {
  public:
    explicit Bytes(std::string_view bytes) : rest_(bytes) {}
    [[nodiscard]] bool empty() const { return rest_.empty(); }
    std::uint8_t byte() {
        const std::uint8_t value = rest_.empty() ? 0 : static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(rest_.empty() ? 0 : 1);
        return value;
    }
    std::uint64_t number(std::size_t bytes) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < bytes; ++i) {
            value = value << 8U | byte();
        }
        return value;
    }
    // So long as its first byte says; 255: twice that, and so on with what follows.
    std::string string() {
        std::size_t size = 0;
        std::uint8_t part = 255;
        while (part == 255 && !rest_.empty()) {
            part = byte();
            size += part;
        }
        const std::string taken(rest_.substr(0, size));
        rest_.remove_prefix(std::min(size, rest_.size()));
        return taken;
    }
    std::string_view rest() const { return rest_; }

  private:
    std::string_view rest_;
};

// A file in memory with the input as its content.
class InputFile {
  public:
    InputFile() : fd_(::memfd_create("input", MFD_CLOEXEC)) {
        require(fd_.valid(), "memfd_create");
    }
    void put(std::string_view content) const {
        require(::ftruncate(fd_.get(), 0) == 0 &&
                    ::pwrite(fd_.get(), content.data(), content.size(), 0) ==
                        static_cast<ssize_t>(content.size()),
                "the input's file");
    }
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

  private:
    UniqueFd fd_;
};

}  // namespace execseal::fuzz
