// elf_file: the little of an ELF file that says what executing it means.
//
// Takes a readable descriptor, gives its interpreter (PT_INTERP), whether it could be a program
// loader (ld.so) itself and whether it is a multi-call binary. Every offset in the file is hostile;
// nothing is read beyond fixed bounds, and what cannot be parsed is simply "not known".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hook/os/path_calls.h"

namespace execseal {

enum class MultiCall { kNo, kBusybox, kToybox };

struct ElfFacts {
    std::string interpreter;  // of PT_INTERP, empty without one
    bool native = false;      // of this machine: not one that binfmt_misc hands to an emulator
    // A shared object with an entry point, no interpreter and not linked as a static PIE, that
    // gives programs __tls_get_addr: that is how glibc's and musl's ld.so look. Only a candidate:
    // who is a loader is proved by whom it loads.
    bool may_be_loader = false;
    MultiCall multi_call = MultiCall::kNo;
};

bool is_elf(std::string_view head);

// nullopt: no ELF file, or a broken one.
std::optional<ElfFacts> read_elf(int file, std::uint64_t size);

}  // namespace execseal
