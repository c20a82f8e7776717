#include "hook/os/bpf.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

namespace execseal {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::uint32_t kBusy = BPF_RINGBUF_BUSY_BIT;
constexpr std::uint32_t kDiscarded = BPF_RINGBUF_DISCARD_BIT;

long bpf(bpf_cmd command, bpf_attr& attr) {
    return ::syscall(SYS_bpf, command, &attr, sizeof attr);
}

std::uint64_t address_of(const void* pointer) {
    return reinterpret_cast<std::uintptr_t>(pointer);
}

// The kernel reads and writes these words at the same time.
template <typename Word>
std::atomic_ref<Word> shared(void* at) {
    return std::atomic_ref<Word>(*static_cast<Word*>(at));
}

}  // namespace

Result<UniqueFd> open_pinned(const std::string& path) {
    bpf_attr attr{};
    attr.pathname = address_of(path.c_str());
    const long fd = bpf(BPF_OBJ_GET, attr);  // with CLOEXEC
    if (fd < 0) {
        return Error{errno, path};
    }
    return UniqueFd(static_cast<int>(fd));
}

Result<> call_program(int program, void* context, std::size_t size) {
    bpf_attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    attr.test.ctx_in = address_of(context);
    attr.test.ctx_size_in = static_cast<std::uint32_t>(size);
    if (bpf(BPF_PROG_TEST_RUN, attr) < 0) {
        return Error{errno, "bpf(BPF_PROG_TEST_RUN)"};
    }
    return Ok{};
}

Result<> update_map(int map, const void* key, const void* value) {
    bpf_attr attr{};
    attr.map_fd = static_cast<std::uint32_t>(map);
    attr.key = address_of(key);
    attr.value = address_of(value);
    attr.flags = BPF_ANY;
    if (bpf(BPF_MAP_UPDATE_ELEM, attr) < 0) {
        return Error{errno, "bpf(BPF_MAP_UPDATE_ELEM)"};
    }
    return Ok{};
}

Result<bool> delete_from_map(int map, const void* key) {
    bpf_attr attr{};
    attr.map_fd = static_cast<std::uint32_t>(map);
    attr.key = address_of(key);
    if (bpf(BPF_MAP_DELETE_ELEM, attr) < 0) {
        if (errno == ENOENT) {
            return false;
        }
        return Error{errno, "bpf(BPF_MAP_DELETE_ELEM)"};
    }
    return true;
}

Result<> for_each_key(int map, std::size_t key_size, const std::function<void(const void*)>& take) {
    std::vector<std::vector<char>> keys;
    std::vector<char> next(key_size);
    bpf_attr attr{};
    attr.map_fd = static_cast<std::uint32_t>(map);
    attr.next_key = address_of(next.data());
    while (bpf(BPF_MAP_GET_NEXT_KEY, attr) == 0) {
        keys.push_back(next);
        attr.key = address_of(keys.back().data());
    }
    if (errno != ENOENT) {
        return Error{errno, "bpf(BPF_MAP_GET_NEXT_KEY)"};
    }
    for (const auto& key : keys) {
        take(key.data());
    }
    return Ok{};
}

Result<> read_map(int map, const void* key, void* value) {
    bpf_attr attr{};
    attr.map_fd = static_cast<std::uint32_t>(map);
    attr.key = address_of(key);
    attr.value = address_of(value);
    if (bpf(BPF_MAP_LOOKUP_ELEM, attr) < 0) {
        return Error{errno, "bpf(BPF_MAP_LOOKUP_ELEM)"};
    }
    return Ok{};
}

Result<BpfRing> BpfRing::create(std::size_t size) {
    bpf_attr attr{};
    attr.map_type = BPF_MAP_TYPE_RINGBUF;
    attr.max_entries = static_cast<std::uint32_t>(size);
    const long fd = bpf(BPF_MAP_CREATE, attr);
    if (fd < 0) {
        return Error{errno, "bpf(BPF_MAP_CREATE)"};
    }
    UniqueFd map(static_cast<int>(fd));
    void* const consumer = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, map.get(), 0);
    if (consumer == MAP_FAILED) {
        return Error{errno, "mmap of a ring"};
    }
    // The data is mapped twice in a row, so that a record at the end is in one piece.
    void* const producer =
        ::mmap(nullptr, kPage + 2 * size, PROT_READ, MAP_SHARED, map.get(), kPage);
    if (producer == MAP_FAILED) {
        const Error error{errno, "mmap of a ring"};
        (void)::munmap(consumer, kPage);
        return error;
    }
    return BpfRing(std::move(map), size, consumer, producer);
}

BpfRing::BpfRing(UniqueFd map, std::size_t size, void* consumer, void* producer)
    : map_(std::move(map)), size_(size), consumer_(consumer), producer_(producer) {}

BpfRing::BpfRing(BpfRing&& other) noexcept
    : map_(std::move(other.map_)),
      size_(other.size_),
      consumer_(std::exchange(other.consumer_, nullptr)),
      producer_(std::exchange(other.producer_, nullptr)) {}

BpfRing::~BpfRing() {
    if (consumer_ != nullptr) {
        (void)::munmap(consumer_, kPage);
        (void)::munmap(producer_, kPage + 2 * size_);
    }
}

bool BpfRing::has_news() const {
    return shared<std::uint64_t>(consumer_).load(std::memory_order_relaxed) <
           shared<std::uint64_t>(producer_).load(std::memory_order_acquire);
}

void BpfRing::drain(const std::function<void(std::span<const std::byte>)>& take) {
    auto consumed = shared<std::uint64_t>(consumer_).load(std::memory_order_relaxed);
    auto* const data = static_cast<std::byte*>(producer_) + kPage;
    for (;;) {
        const auto produced = shared<std::uint64_t>(producer_).load(std::memory_order_acquire);
        if (consumed >= produced) {
            return;
        }
        std::byte* const record = data + (consumed & (size_ - 1));
        const auto header = shared<std::uint32_t>(record).load(std::memory_order_acquire);
        if ((header & kBusy) != 0) {
            return;
        }
        const std::size_t length = header & ~(kBusy | kDiscarded);
        if ((header & kDiscarded) == 0) {
            take({record + BPF_RINGBUF_HDR_SZ, length});
        }
        consumed += (BPF_RINGBUF_HDR_SZ + length + 7) / 8 * 8;
        shared<std::uint64_t>(consumer_).store(consumed, std::memory_order_seq_cst);
    }
}

}  // namespace execseal
