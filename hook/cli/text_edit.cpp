#include "hook/cli/text_edit.h"

#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

#include "config/json_reader.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kBegin = "# execseal install: begin\n";
// Where the line before it had no end, which is the block's then.
constexpr std::string_view kBeginAndEnd =
    "\n# execseal install: begin, and the end of the line before it\n";
constexpr std::string_view kEnd = "# execseal install: end\n";

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

struct BlockPlace {
    std::size_t begin = 0;
    std::size_t end = 0;  // behind it; 0: there is none
};

Result<BlockPlace> find_block(std::string_view text) {
    const auto open = text.find(kBeginAndEnd);
    const auto begin = open != std::string_view::npos ? open : text.find(kBegin);
    const auto end = text.find(kEnd);
    if (begin == std::string_view::npos && end == std::string_view::npos) {
        return BlockPlace{};
    }
    if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) {
        return make_error("expected both marker lines of execseal install, in order, or none");
    }
    return BlockPlace{begin, end + kEnd.size()};
}

int indentation_of(std::string_view text) {
    const auto line = text.find('\n');
    const auto first = text.find_first_not_of(" \n", line);
    if (line == std::string_view::npos || first == std::string_view::npos) {
        return 4;
    }
    const auto start = text.rfind('\n', first);
    return std::max(static_cast<int>(first - start) - 1, 1);
}

Result<ordered_json> read_daemon(std::string_view text) {
    // An empty file is what dockerd takes for an empty object, too.
    const bool blank = text.find_first_not_of(" \t\r\n") == std::string_view::npos;
    auto json = parse_json(blank ? "{}" : text, "");
    if (!json) {
        return json;
    }
    if (!json->is_object() || (json->contains("runtimes") && !(*json)["runtimes"].is_object())) {
        return make_error("expected a JSON object, its \"runtimes\" an object");
    }
    return json;
}

std::string daemon_text(const ordered_json& json, std::string_view former) {
    return json.dump(indentation_of(former)) + "\n";
}

}  // namespace

std::string with_block(std::string_view text, std::string_view block) {
    const auto place = find_block(text);
    const bool there = place && place->end != 0;
    const std::string_view before = there ? text.substr(0, place->begin) : text;
    const std::string_view after = there ? text.substr(place->end) : std::string_view();
    const bool open = !before.empty() && before.back() != '\n';
    return std::string(before) + std::string(open ? kBeginAndEnd : kBegin) + std::string(block) +
           std::string(kEnd) + std::string(after);
}

Result<std::string> without_block(std::string_view text) {
    const auto place = find_block(text);
    if (!place) {
        return place.error();
    }
    const std::string_view after = text.substr(place->end);
    // What was written behind the block since needs the end of the line before it.
    const bool joins = text.substr(place->begin).starts_with(kBeginAndEnd) && !after.empty();
    return std::string(text.substr(0, place->begin)) + (joins ? "\n" : "") + std::string(after);
}

Result<std::string> with_docker_runtimes(std::string_view text, std::string_view addition) {
    auto daemon = read_daemon(text);
    const auto added = read_daemon(addition);
    if (!daemon || !added) {
        return daemon ? added.error() : daemon.error();
    }
    const ordered_json former = *daemon;
    (*daemon)["runtimes"].update((*added)["runtimes"]);
    return *daemon == former ? std::string(text) : daemon_text(*daemon, text);
}

Result<std::string> without_docker_runtimes(std::string_view text, std::string_view addition) {
    auto daemon = read_daemon(text);
    const auto added = read_daemon(addition);
    if (!daemon || !added) {
        return daemon ? added.error() : daemon.error();
    }
    const ordered_json former = *daemon;
    if (daemon->contains("runtimes")) {
        for (const auto& [name, runtime] : (*added)["runtimes"].items()) {
            (*daemon)["runtimes"].erase(name);
        }
        if ((*daemon)["runtimes"].empty()) {
            daemon->erase("runtimes");
        }
    }
    if (const auto chosen = daemon->find("default-runtime");
        chosen != daemon->end() && chosen->is_string() &&
        (*added)["runtimes"].contains(chosen->get<std::string>())) {
        return make_error("/default-runtime: expected another runtime than " + chosen->dump() +
                          ", which is to go (dockerd would not start)");
    }
    return *daemon == former ? std::string(text) : daemon_text(*daemon, text);
}

std::string unified_diff(const std::string& path, const std::optional<std::string>& before,
                         const std::optional<std::string>& after) {
    if (before == after) {
        return "";
    }
    static constexpr std::size_t kContext = 3;
    const auto a = lines_of(before ? std::string_view(*before) : "");
    const auto b = lines_of(after ? std::string_view(*after) : "");
    std::size_t head = 0;
    while (head < std::min(a.size(), b.size()) && a[head] == b[head]) {
        ++head;
    }
    std::size_t tail = 0;
    while (tail < std::min(a.size(), b.size()) - head &&
           a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) {
        ++tail;
    }
    const std::size_t from = head - std::min(head, kContext);
    const std::size_t shown_tail = std::min(tail, kContext);
    const std::size_t a_end = a.size() - tail + shown_tail;
    const std::size_t b_end = b.size() - tail + shown_tail;
    const auto range = [from](std::size_t end) {
        // An empty range is named by the line before it.
        return std::to_string(end == from ? from : from + 1) + "," + std::to_string(end - from);
    };
    std::string text = "--- " + (before ? path : "/dev/null") + "\n+++ " +
                       (after ? path : "/dev/null") + "\n@@ -" + range(a_end) + " +" +
                       range(b_end) + " @@\n";
    const auto add = [&text](char mark, const std::vector<std::string_view>& lines,
                             std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            text += mark;
            text += lines[i];
            text += '\n';
        }
    };
    add(' ', a, from, head);
    add('-', a, head, a.size() - tail);
    add('+', b, head, b.size() - tail);
    add(' ', a, a.size() - tail, a_end);
    return text;
}

}  // namespace execseal
