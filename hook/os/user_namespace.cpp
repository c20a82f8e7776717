#include "hook/os/user_namespace.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string_view>

#include "hook/os/file_read.h"

namespace execseal {

bool is_root_of_the_node() {
    if (::geteuid() != 0) {
        return false;
    }
    // One line where all ids are mapped: 0 0 4294967295 (user_namespaces(7)).
    std::ifstream map("/proc/self/uid_map");
    unsigned long inside = 0;
    unsigned long outside = 0;
    unsigned long count = 0;
    constexpr unsigned long kAll = 4294967295;
    return !(map >> inside >> outside >> count) || (inside == 0 && outside == 0 && count == kAll);
}

std::string variable_of(pid_t process, const std::string& name) {
    constexpr std::size_t kMost = std::size_t{4} << 20U;
    const auto text = read_file("/proc/" + std::to_string(process) + "/environ", kMost);
    const std::string start = name + "=";
    for (std::string_view rest = text ? *text : std::string_view(); !rest.empty();) {
        const std::string_view entry = rest.substr(0, rest.find('\0'));
        if (entry.starts_with(start)) {
            return std::string(entry.substr(start.size()));
        }
        rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    }
    return "";
}

}  // namespace execseal
