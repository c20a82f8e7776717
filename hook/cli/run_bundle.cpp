#include "hook/cli/run_bundle.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "hook/os/executable.h"

namespace execseal {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

ordered_json mount_of(const std::string& destination, const std::string& type,
                      const std::string& source, std::vector<std::string> options) {
    return {{"destination", destination},
            {"type", type},
            {"source", source},
            {"options", std::move(options)}};
}

ordered_json bind_of(const std::string& source, const std::string& destination, const char* kind,
                     const char* access) {
    return mount_of(destination, "bind", source, {kind, "rprivate", access, "nosuid", "nodev"});
}

bool is_in(const std::string& path, const std::string& folder) {
    return path == folder || path.starts_with(folder + "/");
}

ordered_json kernel_mounts() {
    return ordered_json::array(
        {mount_of("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
         mount_of("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
         mount_of("/dev/pts", "devpts", "devpts",
                  {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
         mount_of("/dev/shm", "tmpfs", "shm",
                  {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
         mount_of("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
         mount_of("/tmp", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777"})});
}

// Files and folders of the host's /etc that not everybody may read.
Result<std::vector<std::string>> secrets_of(const std::string& folder) {
    std::vector<std::string> secrets;
    std::error_code code;
    for (auto entry = fs::recursive_directory_iterator(folder, code);
         !code && entry != fs::recursive_directory_iterator(); entry.increment(code)) {
        const fs::file_status status = entry->symlink_status(code);
        if (code) {
            break;
        }
        const bool is_folder = fs::is_directory(status);
        const fs::perms wanted =
            is_folder ? fs::perms::others_read | fs::perms::others_exec : fs::perms::others_read;
        if (!fs::is_symlink(status) && (status.permissions() & wanted) != wanted) {
            secrets.push_back(entry->path());
            if (is_folder) {
                entry.disable_recursion_pending();
            }
        }
    }
    return code ? Result<std::vector<std::string>>(Error{code.value(), folder}) : secrets;
}

struct Bind {
    std::string source;
    std::string destination;
    bool read_only = false;
};

Result<Bind> bind_from(const std::string& word) {
    const std::string expected = "--bind " + word + ": expected SOURCE:DESTINATION or " +
                                 "SOURCE:DESTINATION:ro, DESTINATION an absolute path";
    std::vector<std::string> parts;
    std::size_t start = 0;
    for (std::size_t end = word.find(':'); end != std::string::npos; end = word.find(':', start)) {
        parts.push_back(word.substr(start, end - start));
        start = end + 1;
    }
    parts.push_back(word.substr(start));
    const bool access = parts.size() == 3 && (parts[2] == "ro" || parts[2] == "rw");
    if ((parts.size() != 2 && !access) || parts[0].empty() || !parts[1].starts_with('/')) {
        return make_error(expected);
    }
    const auto source = real_path(parts[0]);
    if (!source) {
        return add_context("--bind " + word, source.error());
    }
    return Bind{*source, parts[1], access && parts[2] == "ro"};
}

// The host's programs under their usual names.
Result<> add_host(const RunBundle& bundle, ordered_json& spec) {
    const fs::path root = bundle.folder + "/rootfs";
    std::error_code code;
    for (const char* const name : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}) {
        const fs::path host = fs::path("/") / name;
        if (fs::is_symlink(host, code)) {
            fs::create_symlink(fs::read_symlink(host, code), root / name, code);
        } else if (fs::is_directory(host, code)) {
            spec["mounts"].push_back(bind_of(host, host, "bind", "ro"));
        }
    }
    for (const char* const name : {"root", "home", "run", "srv", "var", "var/tmp"}) {
        fs::create_directory(root / name, code);
    }
    fs::permissions(root / "var/tmp", fs::perms(01777), code);
    spec["mounts"].push_back(bind_of("/usr", "/usr", "bind", "ro"));
    spec["mounts"].push_back(bind_of("/etc", "/etc", "bind", "ro"));
    const auto secrets = secrets_of("/etc");
    if (!secrets) {
        return secrets.error();
    }
    for (const std::string& path : *secrets) {
        spec["linux"]["maskedPaths"].push_back(path);
    }
    return Ok{};
}

// /etc/resolv.conf is often a link to a file below /run.
void add_network(ordered_json& spec) {
    for (const char* const name : {"/etc/resolv.conf", "/etc/hosts"}) {
        if (const auto real = real_path(name)) {
            spec["mounts"].push_back(bind_of(*real, *real, "bind", "ro"));
        }
    }
}

Result<> add_working_folder(const std::string& folder, ordered_json& spec) {
    spec["process"]["cwd"] = folder;
    if (folder == "/" || is_in(folder, "/usr") || is_in(folder, "/etc")) {
        return Ok{};  // there already, and read-only
    }
    const bool home = folder == "/root" || folder == "/home" || folder == "/run" ||
                      fs::path(folder).parent_path() == "/home";
    const auto is_kernels = [&](const char* name) { return is_in(folder, name); };
    if (home || is_kernels("/proc") || is_kernels("/sys") || is_kernels("/dev")) {
        return make_error("the working folder " + folder +
                          " is hidden in the container: expected a folder of your work below it");
    }
    spec["mounts"].push_back(bind_of(folder, folder, "rbind", "rw"));
    return Ok{};
}

// What steers the container (settings, policy, config.json) is in none of its folders, also where
// one of them has the folder of temporary files in it.
Result<> hide_bundle(const RunBundle& bundle, ordered_json& spec) {
    const auto real = real_path(bundle.folder);
    if (!real) {
        return real.error();
    }
    auto hiding = ordered_json::array();
    for (const ordered_json& mount : spec["mounts"]) {
        const std::string source = mount["source"];
        if (mount["type"] == "bind" && (source == "/" || is_in(*real, source))) {
            const std::string below = source == "/" ? *real : real->substr(source.size());
            hiding.push_back(mount_of(mount["destination"].get<std::string>() + below, "tmpfs",
                                      "tmpfs", {"ro", "nosuid", "nodev", "noexec", "mode=000"}));
        }
    }
    spec["mounts"].insert(spec["mounts"].end(), hiding.begin(), hiding.end());
    return Ok{};
}

ordered_json process_of(const RunBundle& bundle) {
    ordered_json environment = ordered_json::array(
        {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"});
    for (const char* const name : {"TERM", "LANG"}) {
        // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread of ours calls setenv
        if (const char* const value = std::getenv(name); value != nullptr) {
            environment.push_back(std::string(name) + "=" + value);
        }
    }
    for (const std::string& entry : bundle.environment) {
        environment.push_back(entry);
    }
    const ordered_json rights = {"CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",
                                 "CAP_SETGID", "CAP_SETUID",       "CAP_KILL"};
    return {{"terminal", bundle.terminal},
            {"user", {{"uid", 0}, {"gid", 0}}},
            {"args", bundle.command},
            {"env", std::move(environment)},
            {"cwd", "/"},
            {"capabilities", {{"bounding", rights}, {"effective", rights}, {"permitted", rights}}},
            {"noNewPrivileges", true}};
}

ordered_json linux_of(bool net) {
    auto namespaces = ordered_json::array(
        {{{"type", "pid"}}, {{"type", "ipc"}}, {{"type", "uts"}}, {{"type", "mount"}}});
    if (!net) {
        namespaces.push_back({{"type", "network"}});
    }
    return {
        {"resources", {{"devices", ordered_json::array({{{"allow", false}, {"access", "rwm"}}})}}},
        {"namespaces", std::move(namespaces)},
        {"maskedPaths",
         {"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
          "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi"}},
        {"readonlyPaths",
         {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}};
}

}  // namespace

Result<ordered_json> run_spec(const RunBundle& bundle) {
    std::error_code code;
    fs::create_directory(bundle.folder + "/rootfs", code);
    if (code) {
        return Error{code.value(), bundle.folder + "/rootfs"};
    }
    ordered_json spec{{"ociVersion", "1.0.2"},
                      {"process", process_of(bundle)},
                      {"root", {{"path", "rootfs"}, {"readonly", false}}},
                      {"hostname", "execseal"},
                      {"mounts", kernel_mounts()},
                      {"linux", linux_of(bundle.net)},
                      {"annotations", {{"io.execseal.policy", bundle.policy}}}};
    if (!bundle.mode.empty()) {
        spec["annotations"]["io.execseal.mode"] = bundle.mode;
    }
    if (bundle.rootfs.empty()) {
        if (auto added = add_host(bundle, spec); !added) {
            return added.error();
        }
        if (auto added = add_working_folder(bundle.working_folder, spec); !added) {
            return added.error();
        }
    } else {
        spec["root"] = {{"path", bundle.rootfs}, {"readonly", true}};
    }
    if (bundle.net) {
        add_network(spec);
    }
    for (const std::string& word : bundle.binds) {
        const auto bind = bind_from(word);
        if (!bind) {
            return bind.error();
        }
        spec["mounts"].push_back(
            bind_of(bind->source, bind->destination, "rbind", bind->read_only ? "ro" : "rw"));
    }
    if (auto hidden = hide_bundle(bundle, spec); !hidden) {
        return hidden.error();
    }
    return spec;
}

}  // namespace execseal
