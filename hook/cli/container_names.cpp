#include "hook/cli/container_names.h"

#include <algorithm>
#include <map>

#include "hook/cli/table.h"

namespace execseal {
namespace {

constexpr std::size_t kListed = 10;

std::string in_pod(const ContainerNames& container) {
    if (container.pod.empty() || container.name.empty()) {
        return container.name;
    }
    return container.pod + "/" + container.name;
}

Error ambiguous(const std::vector<ContainerNames>& containers,
                const std::vector<std::size_t>& meant, const std::string& wanted,
                const char* what) {
    std::string text = "container " + wanted + ": " + std::to_string(meant.size()) + " " + what +
                       " are called so: ";
    for (std::size_t i = 0; i < std::min(meant.size(), kListed); ++i) {
        const ContainerNames& container = containers[meant[i]];
        const std::string name = shown_name(container);
        text += (i == 0 ? "" : ", ") + short_id(container.id) + (name.empty() ? "" : " " + name);
    }
    return make_error(text + (meant.size() > kListed ? ", ..." : ""));
}

}  // namespace

std::string shown_name(const ContainerNames& container) {
    const std::string name = in_pod(container);
    return name.empty() ? "" : shell_word(name);
}

NameMatch match_container(const ContainerNames& container, std::string_view wanted) {
    if (wanted.empty()) {
        return NameMatch::kNone;
    }
    if (wanted == container.id || wanted == container.name || wanted == container.pod ||
        wanted == in_pod(container) || wanted == shown_name(container)) {
        return NameMatch::kWhole;
    }
    return container.id.starts_with(wanted) || wanted == short_id(container.id)
               ? NameMatch::kBeginning
               : NameMatch::kNone;
}

Result<NameMatch> meaning_among(const std::vector<ContainerNames>& seen,
                                const std::string& wanted) {
    std::map<std::string, std::size_t> whole;  // by what it was found as
    std::map<std::string, std::size_t> begin_so;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        const ContainerNames& container = seen[i];
        if (wanted == container.id) {
            return NameMatch::kWhole;
        }
        switch (match_container(container, wanted)) {
            case NameMatch::kWhole:
                whole.emplace(wanted == container.pod ? wanted : in_pod(container), i);
                break;
            case NameMatch::kBeginning:
                begin_so.emplace(container.id, i);
                break;
            case NameMatch::kNone:
                break;
        }
    }
    const auto& meant = whole.empty() ? begin_so : whole;
    if (meant.size() > 1) {
        std::vector<std::size_t> places;
        for (const auto& [name, place] : meant) {
            places.push_back(place);
        }
        return ambiguous(seen, places, wanted, "containers");
    }
    return whole.empty() ? NameMatch::kBeginning : NameMatch::kWhole;
}

Result<std::size_t> choose_container(const std::vector<ContainerNames>& containers,
                                     const std::string& wanted) {
    if (wanted.empty()) {
        return make_error("container: expected an id or a name");
    }
    std::vector<std::size_t> whole;
    std::vector<std::size_t> begin_so;
    for (std::size_t i = 0; i < containers.size(); ++i) {
        if (wanted == containers[i].id) {
            return i;
        }
        switch (match_container(containers[i], wanted)) {
            case NameMatch::kWhole:
                whole.push_back(i);
                break;
            case NameMatch::kBeginning:
                begin_so.push_back(i);
                break;
            case NameMatch::kNone:
                break;
        }
    }
    const auto& meant = whole.empty() ? begin_so : whole;
    if (meant.empty()) {
        return make_error("container " + wanted +
                          ": no supervised container of this id or name (execseal ps lists them)");
    }
    if (meant.size() > 1) {
        return ambiguous(containers, meant, wanted, "supervised containers");
    }
    return meant.front();
}

}  // namespace execseal
