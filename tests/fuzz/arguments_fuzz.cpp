// Path, argv and environment in a caller's memory that is laid out by the input.
#include "hook/exec/arguments.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/fake_memory.h"

namespace execseal::fuzz {
namespace {

constexpr std::uint64_t kFirstPage = 0x1000;

std::optional<std::uint64_t> eight_megabytes(Tid /*tid*/) {
    return 8U << 20U;
}

// Small numbers are addresses in the few pages that there are, others what they are.
std::uint64_t address_of(Bytes& bytes) {
    const std::uint8_t kind = bytes.byte();
    return kind < 0xf0 ? kFirstPage + bytes.number(2) % (16 * kRemotePage) : bytes.number(8);
}

}  // namespace
}  // namespace execseal::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace execseal;
    fuzz::Bytes bytes(fuzz::text_of(data, size));
    ExecCall call;
    call.width = (bytes.byte() & 1U) != 0 ? PointerWidth::k32 : PointerWidth::k64;
    call.path = RemoteAddr{fuzz::address_of(bytes)};
    call.argv = RemoteAddr{fuzz::address_of(bytes)};
    call.envp = RemoteAddr{fuzz::address_of(bytes)};
    FakeMemory memory;
    while (!bytes.empty()) {
        const std::uint64_t at = fuzz::address_of(bytes);
        const std::string content = bytes.string();
        if (at < (1ULL << 47U)) {
            memory.put(at, content);
        }
    }
    ExecRequestReader reader(fuzz::eight_megabytes);
    ExecSnapshot first;
    reader.read(call, memory, first);
    ExecSnapshot second;
    reader.read(call, memory, second);
    fuzz::require(first.outcome == second.outcome, "the same memory reads the same");
    if (first.outcome != SnapshotOutcome::kComplete) {
        fuzz::require(!first.reason.empty() || first.outcome == SnapshotOutcome::kLarge,
                      "what is not complete says why");
        return 0;
    }
    fuzz::require(same_request(first, second), "the same memory reads the same");
    fuzz::require(first.argv.count > 0, "argv is never empty");
    fuzz::require(first.path.size() < kRemotePage, "a path has an end");
    return 0;
}
