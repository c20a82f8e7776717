#include "hook/exec/elf.h"

#include <elf.h>
#include <linux/limits.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace execseal {
namespace {

constexpr std::size_t kMaxHeaders = 64;
constexpr std::size_t kMaxDynamic = 1024;
// Multi-call binaries are about 1 to 2 MiB; a large program is not searched for their marks.
constexpr std::uint64_t kMaxSearched = 8U << 20U;
constexpr std::size_t kChunk = 1U << 16U;

template <class T>
std::optional<T> read_struct(int file, std::uint64_t offset) {
    T value{};
    const auto got = read_file_at(file, std::as_writable_bytes(std::span(&value, 1)), offset);
    return got && *got == sizeof value ? std::optional(value) : std::nullopt;
}

template <class T>
std::vector<T> read_table(int file, std::uint64_t offset, std::size_t count) {
    std::vector<T> table(count);
    const auto got = read_file_at(file, std::as_writable_bytes(std::span(table)), offset);
    table.resize(got ? *got / sizeof(T) : 0);
    return table;
}

bool is_native(unsigned machine) {
#if defined(__x86_64__)
    return machine == EM_X86_64 || machine == EM_386;
#elif defined(__aarch64__)
    return machine == EM_AARCH64 || machine == EM_ARM;
#else
    return machine != EM_NONE;
#endif
}

// False only where its dynamic strings are there and do not have the name.
template <class Segment>
bool may_offer_tls(int file, const std::vector<Segment>& segments, std::uint64_t address,
                   std::uint64_t size) {
    constexpr std::uint64_t kMaxStrings = 1U << 20U;
    constexpr std::string_view kName = "__tls_get_addr";
    for (const Segment& segment : segments) {
        if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
            address - segment.p_vaddr >= segment.p_filesz || size == 0 || size > kMaxStrings) {
            continue;
        }
        const auto text =
            read_table<char>(file, segment.p_offset + (address - segment.p_vaddr), size);
        return text.size() != size ||
               std::string_view(text.data(), text.size()).find(kName) != std::string_view::npos;
    }
    return true;
}

template <class Header, class Segment, class Dynamic>
std::optional<ElfFacts> read_class(int file) {
    const auto header = read_struct<Header>(file, 0);
    if (!header || (header->e_type != ET_EXEC && header->e_type != ET_DYN) ||
        header->e_phentsize != sizeof(Segment)) {
        return std::nullopt;
    }
    const auto segments = read_table<Segment>(file, header->e_phoff,
                                              std::min<std::size_t>(header->e_phnum, kMaxHeaders));
    ElfFacts facts;
    bool static_pie = false;
    bool dynamic = false;
    std::uint64_t strings = 0;
    std::uint64_t strings_size = 0;
    for (const Segment& segment : segments) {
        if (segment.p_type == PT_INTERP && facts.interpreter.empty()) {
            const auto text = read_table<char>(file, segment.p_offset,
                                               std::min<std::uint64_t>(segment.p_filesz, PATH_MAX));
            facts.interpreter.assign(text.begin(), std::find(text.begin(), text.end(), '\0'));
        } else if (segment.p_type == PT_DYNAMIC) {
            dynamic = true;
            const std::size_t count =
                std::min<std::uint64_t>(segment.p_filesz / sizeof(Dynamic), kMaxDynamic);
            for (const Dynamic& entry : read_table<Dynamic>(file, segment.p_offset, count)) {
                static_pie |= entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_PIE) != 0;
                if (entry.d_tag == DT_STRTAB) {
                    strings = entry.d_un.d_ptr;
                } else if (entry.d_tag == DT_STRSZ) {
                    strings_size = entry.d_un.d_val;
                }
            }
        }
    }
    facts.may_be_loader = header->e_type == ET_DYN && header->e_entry != 0 && dynamic &&
                          facts.interpreter.empty() && !static_pie &&
                          may_offer_tls(file, segments, strings, strings_size);
    facts.native = is_native(header->e_machine);
    return facts;
}

// BusyBox prints "BusyBox v1.35.0 (...)", toybox "toybox 0.8.9 multicall binary".
MultiCall search_marks(int file, std::uint64_t size) {
    constexpr std::string_view kBusybox = "BusyBox v";
    constexpr std::string_view kToybox = " multicall binary";
    constexpr std::size_t kOverlap = 32;
    if (size > kMaxSearched) {
        return MultiCall::kNo;
    }
    std::vector<char> chunk(kChunk + kOverlap);
    std::size_t kept = 0;
    for (std::uint64_t at = 0; at < size;) {
        const auto room = std::span(chunk).subspan(kept);
        const auto got = read_file_at(file, std::as_writable_bytes(room), at);
        if (!got || *got == 0) {
            break;
        }
        const std::string_view text(chunk.data(), kept + *got);
        if (text.find(kBusybox) != std::string_view::npos) {
            return MultiCall::kBusybox;
        }
        if (text.find(kToybox) != std::string_view::npos) {
            return MultiCall::kToybox;
        }
        at += *got;
        const std::size_t tail = std::min(text.size(), kOverlap);
        std::memmove(chunk.data(), text.data() + text.size() - tail, tail);
        kept = tail;
    }
    return MultiCall::kNo;
}

}  // namespace

bool is_elf(std::string_view head) {
    return head.starts_with(std::string_view(ELFMAG, SELFMAG));
}

std::optional<ElfFacts> read_elf(int file, std::uint64_t size) {
    const auto ident = read_table<unsigned char>(file, 0, EI_NIDENT);
    if (ident.size() != EI_NIDENT || std::memcmp(ident.data(), ELFMAG, SELFMAG) != 0 ||
        ident[EI_DATA] != ELFDATA2LSB) {
        return std::nullopt;
    }
    auto facts = ident[EI_CLASS] == ELFCLASS64 ? read_class<Elf64_Ehdr, Elf64_Phdr, Elf64_Dyn>(file)
                 : ident[EI_CLASS] == ELFCLASS32
                     ? read_class<Elf32_Ehdr, Elf32_Phdr, Elf32_Dyn>(file)
                     : std::nullopt;
    if (facts) {
        facts->multi_call = search_marks(file, size);
    }
    return facts;
}

}  // namespace execseal
