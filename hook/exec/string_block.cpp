#include "hook/exec/string_block.h"

namespace execseal {

void StringBlock::clear() {
    bytes.clear();
    count = 0;
}

void StringBlock::add(std::string_view string) {
    bytes.append(string);
    bytes.push_back('\0');
    ++count;
}

std::vector<std::string> StringBlock::split() const {
    std::vector<std::string> strings;
    strings.reserve(count);
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t end = bytes.find('\0', at);
        strings.emplace_back(bytes, at, end - at);
        at = end == std::string::npos ? bytes.size() : end + 1;
    }
    return strings;
}

StringBlock make_block(const std::vector<std::string>& strings) {
    StringBlock block;
    for (const std::string& string : strings) {
        block.add(string);
    }
    return block;
}

}  // namespace execseal
