#include "runtime-shim/error_report.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "hook/os/byte_io.h"
#include "hook/os/clock.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

// Names in a message are bytes from outside.
std::string dumped(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string log_line(LogFormat format, const std::string& message, const std::string& time) {
    switch (format) {
        case LogFormat::kJson: {
            Json line = Json::object();
            line["level"] = "error";
            line["msg"] = message;
            line["time"] = time;
            return dumped(line) + "\n";
        }
        case LogFormat::kText:
            break;
    }
    return "time=\"" + time + "\" level=error msg=" + dumped(message) + "\n";
}

void report_error(const std::string& message, const LogOptions& options) {
    const std::string text = "execseal-runtime: " + message;
    (void)write_all(STDERR_FILENO, text + "\n");
    if (options.file.empty()) {
        return;
    }
    if (auto file = AppendFile::open(options.file); file) {
        (void)file->append(log_line(options.format, text, utc_now_text()));
    }
}

}  // namespace execseal
