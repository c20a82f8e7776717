// What runtimes send with a listener, what a launcher hands to a supervisor, and what a dead
// supervisor has left.
#include "hook/exec/container_start.h"
#include "hook/launch/launch_document.h"
#include "hook/launch/oci_state.h"
#include "tests/fuzz/fuzz.h"

namespace execseal::fuzz {
namespace {

void read_message(std::string_view text) {
    JsonEnd whole;
    const auto at_once = whole.feed(text);
    JsonEnd parts;
    auto status = JsonEnd::Status::kIncomplete;
    for (std::size_t i = 0; i < text.size() && status == JsonEnd::Status::kIncomplete; ++i) {
        status = parts.feed(text.substr(i, 1));
    }
    require(status == at_once || (text.empty() && at_once == JsonEnd::Status::kIncomplete),
            "the end of a message is where it is, however it comes");
    const auto message = parse_container_process_state(text, "input");
    if (!message) {
        return;
    }
    const auto again =
        parse_container_process_state(container_process_state_text(*message), "again");
    require(again.has_value(), "a message that is handed on can be read");
    require(again->state.id == message->state.id && again->metadata == message->metadata &&
                again->state.pid == message->state.pid && again->resumed == message->resumed,
            "and says the same");
}

}  // namespace
}  // namespace execseal::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace execseal;
    const std::string_view text = fuzz::text_of(data, size);
    fuzz::read_message(text);
    (void)parse_oci_state(text, "input");
    if (const auto document = parse_launch_document(text)) {
        fuzz::require(parse_launch_document(launch_document_text(*document)).has_value(),
                      "a launch document that is written can be read");
    }
    if (const auto start = unpack_start(text)) {
        fuzz::require(unpack_start(pack_start(*start)).has_value(), "so can a start");
    }
    return 0;
}
