#include "hook/cli/doctor_kernel.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>

#include "hook/bpf/programs.h"
#include "hook/os/file_read.h"
#include "hook/os/kernel_probe.h"
#include "hook/os/own_limits.h"
#include "hook/os/pid_namespace.h"

namespace execseal {
namespace {

constexpr std::chrono::seconds kDeadline{5};

std::string release() {
    utsname names{};
    return ::uname(&names) == 0
               ? std::string("Linux ") + &names.release[0] + " " + &names.machine[0]
               : "Linux";
}

void examine_notification(Findings& findings) {
    const auto probe = probe_user_notification(kDeadline);
    if (!probe) {
        findings.push_back(found_fail("user notification", probe.error().text(),
                                      "needs Linux 5.5 with CONFIG_SECCOMP_FILTER; inside a "
                                      "container: one whose own profile has no listener"));
        return;
    }
    findings.push_back(found_ok("user notification", "a notified call was answered and went on"));
    findings.push_back(
        probe->sync_wake_up
            ? found_ok("sync wake-up", "the kernel hands the CPU over with the answer")
            : found_warn("sync wake-up", "not in this kernel: each exec costs a little more",
                         "Linux 6.6 has it"));
}

void examine_ptrace(Findings& findings) {
    const auto scope = read_file("/proc/sys/kernel/yama/ptrace_scope", 16);
    findings.push_back(yama_finding(scope ? scope.value() : ""));
    const auto probe = probe_ptrace();
    findings.push_back(probe
                           ? found_ok("ptrace", "a process that is not ours was seized and stopped")
                           : found_fail("ptrace", probe.error().text(),
                                        "run as root with CAP_SYS_PTRACE; inside a container: "
                                        "--cap-add SYS_PTRACE and the host's PID namespace"));
}

void examine_listing(Findings& findings) {
    const auto own = PidNamespace::open(Tid{::getpid()});
    if (!own) {
        findings.push_back(found_warn("PID namespaces", own.error().text(),
                                      "needs CAP_SYS_ADMIN; without it tasks are listed through "
                                      "the container's cgroup"));
        return;
    }
    findings.push_back(
        own->can_translate()
            ? found_ok("PID namespaces", "a procfs of its own, numbers mapped by NS_GET_PID")
            : found_warn("PID namespaces", "a procfs of its own, numbers mapped through NSpid",
                         "Linux 6.11 maps them faster"));
}

void examine_memory(Findings& findings) {
    const auto spared = may_be_spared_by_oom_killer();
    findings.push_back(
        spared ? found_ok("out of memory", "others are killed before a supervisor is")
               : found_warn("out of memory",
                            "a supervisor may be killed like others: " + spared.error().text(),
                            "needs CAP_SYS_RESOURCE; without it containers whose supervisor is "
                            "killed can neither fork nor execute"));
}

}  // namespace

void examine_binding(const Settings& settings, Findings& findings) {
    using Binding = Settings::Binding;
    const char* const what = "binding";
    const auto programs = BindingPrograms::open(settings.run_dir, binding_loader(settings.hook));
    const bool asked_for = settings.binding != Binding::kPtrace;
    if (programs) {
        findings.push_back(found_ok(what, asked_for ? "in the kernel, by BPF programs"
                                                    : "by ptrace; this kernel could do it too"));
        return;
    }
    const std::string why = programs.error().text();
    if (!asked_for) {
        findings.push_back(found_ok(what, "by ptrace; in the kernel it cannot be here: " + why));
    } else if (settings.binding == Binding::kAuto) {
        findings.push_back(found_warn(what, "by ptrace, since the kernel cannot: " + why,
                                      "\"binding\": \"ptrace\" says that it is meant so"));
    } else {
        findings.push_back(found_fail(what, "the kernel cannot: " + why,
                                      "\"binding\": \"auto\" or \"ptrace\": until then no "
                                      "container starts"));
    }
}

Finding yama_finding(const std::string& scope) {
    const std::string value = scope.substr(0, scope.find('\n'));
    if (value == "3") {
        return found_fail("yama", "kernel.yama.ptrace_scope is 3: nobody may attach, root neither",
                          "boot with 2 or less: it cannot be lowered while the kernel runs");
    }
    return found_ok("yama", value.empty() ? "not in this kernel"
                                          : "kernel.yama.ptrace_scope is " + value +
                                                ", which leaves CAP_SYS_PTRACE alone");
}

Finding cgroup_finding(const std::string& directory) {
    std::error_code code;
    if (std::filesystem::exists(directory + "/cgroup.controllers", code)) {
        return found_ok("cgroups", "v2");
    }
    if (std::filesystem::exists(directory + "/unified", code)) {
        return found_warn("cgroups",
                          "v1 with a v2 hierarchy beside it (hybrid): crun may refuse it",
                          "boot with systemd.unified_cgroup_hierarchy=1, or use runc");
    }
    return found_ok("cgroups", "v1");
}

void examine_kernel(Findings& findings) {
    findings.push_back(found_ok("kernel", release()));
    if (::geteuid() != 0) {
        findings.push_back(found_warn("rights", "not root: what follows may fail for that alone",
                                      "run execseal doctor as root"));
    }
    examine_notification(findings);
    examine_ptrace(findings);
    examine_listing(findings);
    examine_memory(findings);
    findings.push_back(cgroup_finding("/sys/fs/cgroup"));
}

}  // namespace execseal
