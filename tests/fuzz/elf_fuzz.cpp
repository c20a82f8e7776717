// A program's file.
#include "hook/exec/elf.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace execseal;
    static const fuzz::InputFile file;
    const std::string_view content = fuzz::text_of(data, size);
    file.put(content);
    for (const std::uint64_t told : {static_cast<std::uint64_t>(size), ~std::uint64_t{0}}) {
        const auto facts = read_elf(file.fd(), told);
        fuzz::require(!facts || is_elf(content), "only an ELF file has such facts");
        fuzz::require(!facts || facts->interpreter.empty() ||
                          content.find(facts->interpreter) != std::string_view::npos,
                      "an interpreter stands in the file");
    }
    return 0;
}
