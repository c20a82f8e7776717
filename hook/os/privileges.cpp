#include "hook/os/privileges.h"

#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <memory>
#include <type_traits>

namespace execseal {

Result<> keep_supervisor_capabilities(KeptRights rights) {
    constexpr std::array<cap_value_t, 4> kKept{CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_KILL,
                                               CAP_DAC_OVERRIDE};
    const int count = static_cast<int>(kKept.size()) - (rights == KeptRights::kCgroups ? 0 : 1);
    for (cap_value_t capability = 0; capability <= cap_max_bits(); ++capability) {
        // EPERM without CAP_SETPCAP: then there is no root to give up either.
        if (cap_get_bound(capability) == 1) {
            (void)cap_drop_bound(capability);
        }
    }
    const std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> capabilities(cap_init(),
                                                                                     cap_free);
    if (capabilities == nullptr) {
        return Error{errno, "cap_init"};
    }
    for (const auto set : {CAP_PERMITTED, CAP_EFFECTIVE}) {
        if (cap_set_flag(capabilities.get(), set, count, kKept.data(), CAP_SET) != 0) {
            return Error{errno, "cap_set_flag"};
        }
    }
    if (cap_set_proc(capabilities.get()) != 0) {
        return Error{errno, "cap_set_proc"};
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return Error{errno, "prctl PR_SET_NO_NEW_PRIVS"};
    }
    return Ok{};
}

void try_set_nice(int nice) noexcept {
    (void)::setpriority(PRIO_PROCESS, 0, nice);
}

bool is_capability(const std::string& name) {
    static constexpr const char* kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    cap_value_t value = 0;
    // cap_from_name(3) takes small letters and numbers as well.
    return name.find_first_not_of(kLetters) == std::string::npos &&
           cap_from_name(name.c_str(), &value) == 0;
}

}  // namespace execseal
