// Table: columns of text for a person, and text of a container made safe for a terminal.
//
// Pure. No cell ever holds a byte that moves the cursor or colours the screen: what comes from a
// container goes through printable(), shell_word() or command_text() first.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace execseal {

enum class Format { kTable, kJson };

using Cells = std::vector<std::string>;

// One line with each cell padded to its column's width, two spaces between; a longer cell pushes
// the rest of its line, the last one is never padded. Ends with a newline.
std::string table_line(std::span<const std::size_t> widths, const Cells& cells);

// Titles and rows, each column as wide as its longest cell.
std::string table_text(const Cells& titles, const std::vector<Cells>& rows);

// Each line of `text` cut to so many columns, with "..." where something is missing; 0: as it is.
std::string fitted(const std::string& text, std::size_t columns);

// Rows that come one by one: held back until settle(), so that the first many are in line; from
// then on each line is given at once, in columns that only grow.
class StreamedTable {
  public:
    explicit StreamedTable(Cells titles) { rows_.push_back(std::move(titles)); }

    // The lines that can be shown now.
    std::string add(Cells row);
    std::string settle();

  private:
    std::vector<std::size_t> widths_;
    std::vector<Cells> rows_;
    bool settled_ = false;
};

// A sentence: every byte that is not printable ASCII as \xNN.
std::string printable(std::string_view bytes);

// As it is where no shell would take it apart, quoted otherwise.
std::string shell_word(std::string_view bytes);

// The program and its arguments from argv[1] on; cut after `limit` bytes with a mark.
std::string command_text(std::string_view exe, std::span<const std::string> argv,
                         std::size_t limit = 200);

// "4f3c1d2e5a6b" of a 64 digit id, other ids as they are.
std::string short_id(std::string_view id);

// "2026-01-31 23:59:59" of RFC 3339 text.
std::string short_time(std::string_view rfc3339);

}  // namespace execseal
