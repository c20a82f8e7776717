// exec_strings: argv and envp as execve(2) and posix_spawn(3) take them.
#pragma once

#include <string>
#include <vector>

namespace execseal {

// Their bytes, null at the end; valid as long as `strings` is. They are char* const[] for
// historical reasons: the kernel writes to none of them.
inline std::vector<char*> exec_strings(const std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    pointers.reserve(strings.size() + 1);
    for (const std::string& string : strings) {
        pointers.push_back(const_cast<char*>(string.c_str()));
    }
    pointers.push_back(nullptr);
    return pointers;
}

}  // namespace execseal
