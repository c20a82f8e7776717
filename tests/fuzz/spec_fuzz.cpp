// The edit of a config.json.
#include "config/json_document.h"
#include "tests/fuzz/fuzz.h"
#include "tests/spec_samples.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace execseal;
    auto spec = parse_json(fuzz::text_of(data, size), "input");
    if (!spec) {
        return 0;
    }
    static const Plan plan = sample_plan();
    static const EditInputs inputs = sample_inputs();
    const auto edited = edit_spec(*spec, plan, inputs);
    if (!edited) {
        fuzz::require(edited.error().text().find('\n') == std::string::npos,
                      "an error is one line");
        return 0;
    }
    fuzz::require(check_edited_spec(*edited, plan, inputs).has_value(),
                  "what the edit makes is what its check expects");
    return 0;
}
