#include "hook/agent/audit_tail.h"

#include <filesystem>
#include <utility>

namespace execseal {

Result<AuditTail> AuditTail::open(const std::string& path) {
    std::error_code failed;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
    if (failed) {
        return Error{failed.value(), "mkdir for " + path};
    }
    auto file = FileFollow::open(path);
    if (!file) {
        return file.error();
    }
    if (auto skipped = file->skip_to_end(); !skipped) {
        return skipped.error();
    }
    return AuditTail(std::move(*file));
}

Result<> AuditTail::read(const std::function<void(std::string_view line)>& on_line) {
    for (;;) {
        const auto bytes = file_.read_some();
        if (!bytes) {
            return bytes.error();
        }
        if (bytes->empty()) {
            return Ok{};
        }
        std::size_t from = 0;
        const std::size_t searched = rest_.size();  // it has no newline
        rest_ += *bytes;
        for (auto end = rest_.find('\n', searched); end != std::string::npos;
             end = rest_.find('\n', from)) {
            on_line(std::string_view(rest_).substr(from, end - from));
            from = end + 1;
        }
        rest_.erase(0, from);
    }
}

}  // namespace execseal
