#include "hook/os/task_rights.h"

#include <fcntl.h>
#include <linux/capability.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "hook/os/path_calls.h"

namespace execseal {
namespace {

// NGROUPS_MAX groups of 11 characters each.
constexpr std::size_t kMaxStatus = std::size_t{1} << 20U;
// The kernel takes up to 340 lines.
constexpr std::size_t kMaxMap = std::size_t{1} << 16U;

std::optional<std::string_view> line_after(std::string_view text, std::string_view key) {
    const std::size_t at = text.find(key);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view rest = text.substr(at + key.size());
    return rest.substr(0, rest.find('\n'));
}

// The numbers of a line; what is none ends it.
std::vector<std::uint64_t> numbers_of(std::string_view line, int base) {
    std::vector<std::uint64_t> numbers;
    for (;;) {
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        std::uint64_t number = 0;
        const auto [end, error] =
            std::from_chars(line.data(), line.data() + line.size(), number, base);
        if (error != std::errc()) {
            return numbers;
        }
        numbers.push_back(number);
        line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    }
}

}  // namespace

std::optional<TaskRights> parse_task_rights(std::string_view status) {
    // "Name:" is the first line, and escapes newlines.
    const auto groups = line_after(status, "\nGroups:");
    const auto effective = line_after(status, "\nCapEff:");
    if (!groups || !effective) {
        return std::nullopt;
    }
    TaskRights rights;
    for (const std::uint64_t group : numbers_of(*groups, 10)) {
        rights.groups.push_back(static_cast<gid_t>(group));
    }
    const auto sets = numbers_of(*effective, 16);
    if (sets.size() != 1) {
        return std::nullopt;
    }
    constexpr std::uint64_t kSearching =
        (std::uint64_t{1} << CAP_DAC_OVERRIDE) | (std::uint64_t{1} << CAP_DAC_READ_SEARCH);
    rights.may_search_all = (sets.front() & kSearching) != 0;
    return rights;
}

std::vector<IdRange> parse_id_map(std::string_view text) {
    std::vector<IdRange> ranges;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        // The id there, the id here, how many.
        if (const auto numbers = numbers_of(line, 10); numbers.size() == 3) {
            ranges.push_back({numbers[1], numbers[2]});
        }
    }
    return ranges;
}

bool is_in(const std::vector<IdRange>& ranges, std::uint64_t id) {
    return std::ranges::any_of(
        ranges, [&](const IdRange& range) { return id - range.first < range.count; });
}

Result<TaskRights> read_task_rights(Tid tid) {
    const std::string proc = "/proc/" + std::to_string(tid.value);
    const auto status = read_text_at(AT_FDCWD, proc + "/status", kMaxStatus);
    if (!status) {
        return status.error();
    }
    auto rights = parse_task_rights(*status);
    if (!rights) {
        return make_error(proc + "/status: expected Groups and CapEff");
    }
    for (auto [file, ranges] :
         {std::pair("/uid_map", &rights->uids), std::pair("/gid_map", &rights->gids)}) {
        const auto map = read_text_at(AT_FDCWD, proc + file, kMaxMap);
        if (!map) {
            return map.error();
        }
        *ranges = parse_id_map(*map);
    }
    return std::move(*rights);
}

}  // namespace execseal
