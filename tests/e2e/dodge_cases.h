// The cases of the dodge suite, batch by batch: data, no more.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/container.h"

namespace execseal::e2e::dodge {

using Words = std::vector<std::string>;

// One exec of the driver (tests/targets/dodge_driver.c).
struct Exec {
    Words argv{};
    Words env{};
    std::vector<std::pair<std::string, std::string>> before{};  // the driver's other keys
    std::string cwd{};
    std::optional<std::string> in{};
};

// What a shell writes for `echo $((40+2))ok`: stands in no command line and in no error message.
inline constexpr const char* kSign = "42ok";

// Says the sign where it is loaded.
inline constexpr const char* kLibrary = "/opt/dodge/library.so";

struct Case {
    std::string name;
    Exec dodge;
    Exec honest;
    std::string sign = kSign;  // in the output of a dodge that is won
    std::string honest_sign{};
    // For git: the dodge is won if this branch of the remote repository is another one afterwards.
    // One that begins with "old-" is there from the beginning.
    std::string ref{};
    std::string honest_ref{};
};

enum class Place {
    kBusybox,        // Bundle's RootFs::kBusybox, an ordinary writable folder
    kDebian,         // RootFs::kHostUsr: Debian with a read-only /usr
    kDebianOverlay,  // the same with a writable overlay on /usr
};

struct Batch {
    std::string name;
    std::string policy;
    Place place;
    Engine engine;
    std::string driver = "/opt/dodge/driver";
    uid_t uid = 0;
    bool git = false;
    std::vector<Exec> setup{};
    std::vector<Case> cases{};
    std::vector<Exec> end{};
    std::vector<std::pair<std::string, std::string>> files{};  // PATH, TEXT: mode 0755
    bool library = false;  // tests/targets/dodge_library.c as kLibrary
};

const std::vector<Batch>& batches();

}  // namespace execseal::e2e::dodge
