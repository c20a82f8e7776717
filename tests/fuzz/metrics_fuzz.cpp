// Lines of an audit file become a text that a scraper takes.
#include "hook/agent/metrics.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace execseal;
    Metrics metrics;
    std::string_view rest = fuzz::text_of(data, size);
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        metrics.add_line(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    const std::string text = metrics.text({});
    std::string_view left = text;
    fuzz::require(text.ends_with('\n'), "the last line has its end");
    while (!left.empty()) {
        const std::size_t end = left.find('\n');
        const std::string_view line = left.substr(0, end);
        fuzz::require(line.starts_with("# ") || line.starts_with("execseal_"),
                      "each line is a sample or a comment");
        const std::size_t value = line.rfind(' ');
        fuzz::require(
            line.starts_with("# ") ||
                line.find_first_not_of("0123456789.e+-", value + 1) == std::string_view::npos,
            "a sample ends with its value");
        left.remove_prefix(end + 1);
    }
    return 0;
}
