// FakeMemory: an address space of pages that a test lays out; anything else is not mapped.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hook/os/remote_memory.h"

namespace execseal {

class FakeMemory final : public RemoteMemory {
  public:
    void map(std::uint64_t page_address) { page(page_address); }

    void put(std::uint64_t address, std::string_view bytes) {
        while (!bytes.empty()) {
            const std::size_t offset = address % kRemotePage;
            const std::size_t size = std::min(kRemotePage - offset, bytes.size());
            std::memcpy(page(address).data() + offset, bytes.data(), size);
            bytes.remove_prefix(size);
            address += size;
        }
    }
    void put_string(std::uint64_t address, std::string_view text) {
        put(address, std::string(text) + '\0');
    }
    template <class Word>
    void put_array(std::uint64_t address, const std::vector<Word>& words) {
        put(address, std::string_view(reinterpret_cast<const char*>(words.data()),
                                      words.size() * sizeof(Word)));
    }

    ReadResult read(RemoteAddr address, std::span<std::byte> out) override {
        ++reads;
        ReadResult result{ReadOutcome::kComplete, 0};
        while (result.bytes < out.size()) {
            const std::uint64_t at = address.value + result.bytes;
            const auto found = pages_.find(at / kRemotePage);
            if (found == pages_.end()) {
                result.outcome = failure;
                break;
            }
            const std::size_t offset = at % kRemotePage;
            const std::size_t size = std::min(kRemotePage - offset, out.size() - result.bytes);
            std::memcpy(out.data() + result.bytes, found->second.data() + offset, size);
            result.bytes += size;
        }
        return result;
    }

    bool is_mapped(RemoteAddr address) override {
        return unreadable_is_mapped || pages_.contains(address.value / kRemotePage);
    }

    bool are_private(std::span<const std::uint64_t> pages) override {
        asked_for.assign(pages.begin(), pages.end());
        return std::none_of(pages.begin(), pages.end(),
                            [this](std::uint64_t page) { return shared_pages.contains(page); });
    }

    std::set<std::uint64_t> shared_pages;  // numbers
    std::vector<std::uint64_t> asked_for;  // by are_private()
    bool unreadable_is_mapped = true;      // what is_mapped() says of a page that is not there
    ReadOutcome failure = ReadOutcome::kUnreadable;  // what a page that is not there says
    int reads = 0;

  private:
    std::vector<std::byte>& page(std::uint64_t address) {
        auto& page = pages_[address / kRemotePage];
        page.resize(kRemotePage);
        return page;
    }
    std::map<std::uint64_t, std::vector<std::byte>> pages_;
};

}  // namespace execseal
