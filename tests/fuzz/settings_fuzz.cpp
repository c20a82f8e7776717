// The settings file of a node.
#include "config/settings.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace execseal;
    static const fuzz::InputFile file;
    file.put(fuzz::text_of(data, size));
    const auto settings = load_settings(file.path());
    if (!settings) {
        fuzz::require(settings.error().text().find(file.path()) != std::string::npos,
                      "an error names the file");
        fuzz::require(settings.error().text().find('\n') == std::string::npos,
                      "an error is one line");
    } else {
        fuzz::require(!settings->run_dir.empty(), "no setting is half set");
    }
    return 0;
}
