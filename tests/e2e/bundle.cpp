#include "tests/e2e/bundle.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "tests/e2e/command.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// What the tests' scripts use; a link for each of busybox's 270 applets would only cost time.
constexpr const char* kApplets[] = {
    "sh",   "ash",      "cat",    "echo",  "ls",     "true", "false", "sleep", "mkdir",
    "rm",   "mv",       "cp",     "ln",    "ps",     "kill", "env",   "id",    "head",
    "tail", "wc",       "grep",   "touch", "dd",     "seq",  "chmod", "chown", "mount",
    "time", "readlink", "stat",   "sort",  "wget",   "nc",   "find",  "tr",    "od",
    "su",   "sed",      "printf", "pwd",   "setsid", "xargs"};

// By number, see linux/capability.h.
constexpr const char* kCapabilities[] = {"CAP_CHOWN",
                                         "CAP_DAC_OVERRIDE",
                                         "CAP_DAC_READ_SEARCH",
                                         "CAP_FOWNER",
                                         "CAP_FSETID",
                                         "CAP_KILL",
                                         "CAP_SETGID",
                                         "CAP_SETUID",
                                         "CAP_SETPCAP",
                                         "CAP_LINUX_IMMUTABLE",
                                         "CAP_NET_BIND_SERVICE",
                                         "CAP_NET_BROADCAST",
                                         "CAP_NET_ADMIN",
                                         "CAP_NET_RAW",
                                         "CAP_IPC_LOCK",
                                         "CAP_IPC_OWNER",
                                         "CAP_SYS_MODULE",
                                         "CAP_SYS_RAWIO",
                                         "CAP_SYS_CHROOT",
                                         "CAP_SYS_PTRACE",
                                         "CAP_SYS_PACCT",
                                         "CAP_SYS_ADMIN",
                                         "CAP_SYS_BOOT",
                                         "CAP_SYS_NICE",
                                         "CAP_SYS_RESOURCE",
                                         "CAP_SYS_TIME",
                                         "CAP_SYS_TTY_CONFIG",
                                         "CAP_MKNOD",
                                         "CAP_LEASE",
                                         "CAP_AUDIT_WRITE",
                                         "CAP_AUDIT_CONTROL",
                                         "CAP_SETFCAP"};

constexpr const char* kDockerCapabilities[] = {
    "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FSETID",  "CAP_FOWNER",
    "CAP_SETGID", "CAP_SETUID",       "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
    "CAP_KILL",   "CAP_SYS_CHROOT",   "CAP_SETFCAP"};

// A host that is itself a container may lack some; a runtime cannot give what it has not got.
bool we_have(std::size_t number) {
    return prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1;
}

// runc and crun want all but ambient for a setuid program's rise to work as on a host.
void add_capability(Json& config, const std::string& name) {
    for (const char* set : {"bounding", "effective", "permitted"}) {
        Json& list = config["process"]["capabilities"][set];
        if (std::find(list.begin(), list.end(), name) == list.end()) {
            list.push_back(name);
        }
    }
}

}  // namespace

Scratch::Scratch() : folder_("/var/tmp") {
    fs::permissions(path(), fs::perms(0755));
}

fs::path target_program(const std::string& name) {
    return fs::path(EXECSEAL_TARGETS_DIR) / name;
}

Bundle::Bundle(const fs::path& folder, RootFs content) : path_(folder) {
    fs::create_directories(rootfs());
    for (const char* inside : {"dev", "etc", "proc", "sys", "tmp", "root", "srv"}) {
        fs::create_directory(rootfs() / inside);
    }
    fs::permissions(rootfs() / "tmp", fs::perms(01777));
    file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n");
    file("/etc/group", "root:x:0:\nuser:x:1000:\n");

    const Outcome spec = run({.argv = {"runc", "spec", "--bundle", path_}}, path_);
    if (spec.exit_code != 0) {
        throw std::runtime_error("runc spec: " + spec.text());
    }
    config_ = Json::parse(read_file(path_ / "config.json"));
    config_["process"]["terminal"] = false;
    config_["root"]["readonly"] = false;
    switch (content) {
        case RootFs::kBusybox:
            add_busybox();
            break;
        case RootFs::kHostUsr:
            add_host_usr();
            break;
    }
}

void Bundle::add_busybox() {
    fs::create_directory(rootfs() / "bin");
    fs::copy_file("/bin/busybox", rootfs() / "bin/busybox");
    for (const char* applet : kApplets) {
        fs::create_symlink("busybox", rootfs() / "bin" / applet);
    }
}

void Bundle::add_host_usr() {
    fs::create_directory(rootfs() / "usr");
    for (const char* name : {"bin", "sbin", "lib", "lib64"}) {
        fs::create_symlink(fs::path("usr") / name, rootfs() / name);
    }
    bind("/usr", "/usr").tmpfs("/tmp");
}

Bundle& Bundle::args(const std::vector<std::string>& argv) {
    config_["process"]["args"] = argv;
    return *this;
}

Bundle& Bundle::env(const std::string& name, const std::string& value) {
    config_["process"]["env"].push_back(name + "=" + value);
    return *this;
}

Bundle& Bundle::annotation(const std::string& key, const std::string& value) {
    config_["annotations"][key] = value;
    return *this;
}

Bundle& Bundle::program(const std::string& name, const std::string& inside) {
    const fs::path to = rootfs() / (inside.empty() ? "bin/" + name : inside.substr(1));
    fs::create_directories(to.parent_path());
    fs::copy_file(target_program(name), to, fs::copy_options::overwrite_existing);
    return *this;
}

Bundle& Bundle::file(const std::string& inside, const std::string& text, int mode) {
    const fs::path to = rootfs() / inside.substr(1);
    fs::create_directories(to.parent_path());
    write_file(to, text);
    fs::permissions(to, fs::perms(mode));
    return *this;
}

Bundle& Bundle::bind(const fs::path& host, const std::string& inside, const std::string& access) {
    config_["mounts"].push_back({{"destination", inside},
                                 {"type", "bind"},
                                 {"source", host},
                                 {"options", {"rbind", access}}});
    return *this;
}

Bundle& Bundle::tmpfs(const std::string& inside) {
    config_["mounts"].push_back({{"destination", inside},
                                 {"type", "tmpfs"},
                                 {"source", "tmpfs"},
                                 {"options", {"mode=1777"}}});
    return *this;
}

Bundle& Bundle::rights(Rights rights) {
    switch (rights) {
        case Rights::kDefault:
            break;
        case Rights::kDocker:
            for (const char* name : kDockerCapabilities) {
                add_capability(config_, name);
            }
            break;
        case Rights::kPrivileged:
            for (std::size_t number = 0; number < std::size(kCapabilities); ++number) {
                if (we_have(number)) {
                    add_capability(config_, kCapabilities[number]);
                }
            }
            no_new_privileges(false);
            config_["linux"]["resources"]["devices"] =
                Json::array({{{"allow", true}, {"access", "rwm"}}});
            config_["linux"].erase("maskedPaths");
            config_["linux"].erase("readonlyPaths");
            break;
    }
    return *this;
}

Bundle& Bundle::capability(const std::string& name) {
    add_capability(config_, name);
    return *this;
}

Bundle& Bundle::device(const std::string& path) {
    struct stat node {};
    if (stat(path.c_str(), &node) != 0 || !S_ISCHR(node.st_mode)) {
        throw std::runtime_error(path + " is not a character device of this host");
    }
    config_["linux"]["devices"].push_back({{"path", path},
                                           {"type", "c"},
                                           {"major", major(node.st_rdev)},
                                           {"minor", minor(node.st_rdev)},
                                           {"fileMode", 0666}});
    return *this;
}

Bundle& Bundle::no_new_privileges(bool on) {
    config_["process"]["noNewPrivileges"] = on;
    return *this;
}

Bundle& Bundle::notify(const fs::path& socket) {
    constexpr int kCloneThread = 0x10000;
    constexpr int kEnosys = 38;
    config_["linux"]["seccomp"] = {
        {"defaultAction", "SCMP_ACT_ALLOW"},
        {"architectures", {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}},
        {"listenerPath", socket},
        {"syscalls",
         {{{"names", {"execve", "execveat", "fork", "vfork"}}, {"action", "SCMP_ACT_NOTIFY"}},
          {{"names", {"clone"}},
           {"action", "SCMP_ACT_NOTIFY"},
           {"args",
            {{{"index", 0},
              {"value", kCloneThread},
              {"valueTwo", 0},
              {"op", "SCMP_CMP_MASKED_EQ"}}}}},
          {{"names", {"clone3"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", kEnosys}}}}};
    return *this;
}

void Bundle::write() const {
    write_file(path_ / "config.json", config_.dump(2));
}

}  // namespace execseal::e2e
