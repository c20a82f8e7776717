// bpf(2), as much of it as a supervisor needs: pinned objects, maps, programs that are called, and
// a ring buffer's other end. What loads programs is another one (hook/bpf/loader.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

// BPF_OBJ_GET: what is pinned at the path; ENOENT as the Error's code where nothing is.
Result<UniqueFd> open_pinned(const std::string& path);

// Runs a program of type "syscall" with `size` bytes at `context`, which it may change (Linux
// 5.14). What it returns is in them.
Result<> call_program(int program, void* context, std::size_t size);

// BPF_MAP_*, on a map of whatever kind; keys and values have the map's sizes.
Result<> update_map(int map, const void* key, const void* value);
// False: it was not there.
Result<bool> delete_from_map(int map, const void* key);
// Takes each key in turn; one that is deleted by it is no matter.
Result<> for_each_key(int map, std::size_t key_size, const std::function<void(const void*)>& take);
Result<> read_map(int map, const void* key, void* value);

// A BPF_MAP_TYPE_RINGBUF of our own, one reader's. Needs CAP_BPF once.
class BpfRing {
  public:
    // `size`: a power of two, of pages.
    static Result<BpfRing> create(std::size_t size);
    BpfRing(const BpfRing&) = delete;
    BpfRing& operator=(const BpfRing&) = delete;
    BpfRing(BpfRing&& other) noexcept;
    BpfRing& operator=(BpfRing&&) = delete;
    ~BpfRing();

    // Readable (POLLIN) when there is something.
    [[nodiscard]] int fd() const { return map_.get(); }
    // Whether drain() would find something; costs no call.
    [[nodiscard]] bool has_news() const;
    // Takes each record that is complete, oldest first; the bytes are the ring's, for the call.
    void drain(const std::function<void(std::span<const std::byte>)>& take);

  private:
    BpfRing(UniqueFd map, std::size_t size, void* consumer, void* producer);

    UniqueFd map_;
    std::size_t size_;
    void* consumer_;  // a page that we write
    void* producer_;  // a page, then the data twice
};

}  // namespace execseal
