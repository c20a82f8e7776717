// AuditTail: the events that were written to the audit file since the last look.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "hook/os/file_follow.h"
#include "hook/os/result.h"

namespace execseal {

class AuditTail {
  public:
    // From the file's present end on; it need not exist yet, its directory is made.
    static Result<AuditTail> open(const std::string& path);

    // Whole lines, in order, across rotation; a line that is still being written waits.
    Result<> read(const std::function<void(std::string_view line)>& on_line);

  private:
    explicit AuditTail(FileFollow file) : file_(std::move(file)) {}

    FileFollow file_;
    std::string rest_;
};

}  // namespace execseal
