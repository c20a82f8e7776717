// A script's first line.
#include "hook/exec/script.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace execseal;
    const std::string_view head = fuzz::text_of(data, size).substr(0, kBinprmBuffer);
    const auto parsed = parse_shebang(head);
    if (!parsed) {
        return 0;
    }
    const std::string& name = parsed->interpreter;
    fuzz::require(head.starts_with("#!"), "a script begins so");
    fuzz::require(name.find_first_of(std::string_view(" \t\n\0", 4)) == std::string::npos,
                  "a name ends where the kernel ends it");
    fuzz::require(head.find(name) != std::string_view::npos, "it stands in the line");
    fuzz::require(!parsed->argument || (parsed->argument->find('\n') == std::string::npos &&
                                        head.find(*parsed->argument) != std::string_view::npos),
                  "and so does the argument");
    return 0;
}
