// Bytes in and out of pipes, memfds and append-only files, all with bounds.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

struct PipeEnds {
    UniqueFd read;
    UniqueFd write;
};
Result<PipeEnds> make_pipe();

// A copy of `text` to hand to a child: a memfd at offset 0, CLOEXEC here.
Result<UniqueFd> memfd_with(const char* name, const std::string& text);

// All of a descriptor from its current offset; more than `limit` bytes is an Error.
Result<std::string> read_all(int fd, std::size_t limit);

// The first line (without its newline), or what was there at the end of the stream; ETIMEDOUT as
// the Error's code when the deadline passes first, code 0 when the stream ends with nothing in it.
Result<std::string> read_line(int fd, std::chrono::steady_clock::time_point deadline);

// A file that exists, for write_all(): a control file of cgroupfs and the like.
Result<UniqueFd> open_for_write(const std::string& path);
// Created 0640 where it is missing, for a process that can only write to its stderr.
Result<UniqueFd> open_for_append(const std::string& path);

// Writes all of `text`.
Result<> write_all(int fd, const std::string& text);

// A log file: a line is one write(2) in append mode, so that lines of several processes never mix.
// A file that was rotated away is made anew, noticed by its inode. A line that was torn (by a full
// disk, by its writer's death) never takes the next one with it: what this process could not write
// whole is taken back where nothing follows it, and a tail without a newline gets one.
class AppendFile {
  public:
    AppendFile() = default;
    // Created 0640, its directory 0750 when that is missing.
    static Result<AppendFile> open(const std::string& path);

    Result<> append(const std::string& line);

  private:
    // The file's size.
    Result<off_t> reopen_if_rotated();
    [[nodiscard]] bool is_torn(off_t size) const;
    void take_back(ssize_t written) const;

    std::string path_;
    UniqueFd file_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

}  // namespace execseal
