// FileFollow: what is written to a log file, as it is written, across rotation.
//
// Takes a path, gives bytes in the order in which they were appended. When the path names another
// file (renamed away and made anew, logrotate's `create`), the old one is read to its end first;
// when the file got shorter (`copytruncate`), it is read from its start again.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

class FileFollow {
  public:
    // The file need not exist yet, its directory must.
    static Result<FileFollow> open(const std::string& path);

    // What stands in the file now is not read.
    Result<> skip_to_end();
    // The whole lines that stand in the file now, the last one first, without their newlines, until
    // `on_line` returns false. Reading goes on behind the last whole line.
    Result<> read_backwards(const std::function<bool(std::string_view line)>& on_line);
    // At most a chunk; empty when there is nothing new now.
    Result<std::string> read_some();
    // Blocks until the directory says that something may be new: inotify(7), so not for files on
    // network file systems that others write.
    Result<> wait();

  private:
    FileFollow(std::string path, UniqueFd watch)
        : path_(std::move(path)), watch_(std::move(watch)) {}

    Result<std::string> read_chunk();
    // Fewer bytes where the file ends before.
    Result<std::string> read_at(off_t offset, std::size_t size);
    // True when the path names another file than before.
    Result<bool> reopen();

    std::string path_;
    UniqueFd watch_;
    UniqueFd file_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
    off_t offset_ = 0;
};

}  // namespace execseal
