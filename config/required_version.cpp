#include "config/required_version.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <string>

#include "execseal_version.h"

namespace execseal {

std::optional<std::array<unsigned, 3>> parse_version(std::string_view text) {
    std::array<unsigned, 3> version{};
    const char* at = text.data();
    const char* const end = at + text.size();
    for (std::size_t i = 0; i < version.size(); ++i) {
        if (i > 0 && (at == end || *at++ != '.')) {
            return std::nullopt;
        }
        const auto [rest, error] = std::from_chars(at, end, version.at(i));
        if (error != std::errc()) {
            return std::nullopt;
        }
        at = rest;
    }
    return at == end ? std::optional(version) : std::nullopt;
}

void check_required_version(const nlohmann::ordered_json& document, JsonProblems& problems) {
    const auto found = document.is_object() ? document.find("requires") : document.end();
    if (found == document.end()) {
        return;
    }
    const auto wanted = found->is_string() ? parse_version(found->get_ref<const std::string&>())
                                           : std::optional<std::array<unsigned, 3>>();
    if (!wanted) {
        problems.report("/requires", "expected a version of execseal, as \"0.1.0\"");
    } else if (*wanted > parse_version(kVersion)) {
        problems.report("/requires", "the file needs execseal " + found->get<std::string>() +
                                         " or newer, this is execseal " + kVersion);
    }
}

}  // namespace execseal
