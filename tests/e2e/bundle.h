// Scratch and Bundle: a folder that is gone after the test, and in it an OCI bundle with a busybox
// root file system and a config.json as `runc spec` writes it.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/scratch_folder.h"

namespace execseal::e2e {

// /var/tmp/es.XXXXXX: on a disk file system (O_DIRECT), short enough for socket paths.
class Scratch {
  public:
    Scratch();
    [[nodiscard]] const std::filesystem::path& path() const { return folder_.path(); }

  private:
    ScratchFolder folder_;
};

// Where CMake put the static programs of tests/targets.
std::filesystem::path target_program(const std::string& name);

enum class RootFs {
    kBusybox,  // /bin/busybox and its applets as links, /bin/sh, /tmp, /etc/passwd
    kHostUsr,  // the host's /usr, read-only, with /bin and /lib as links into it; /tmp is a tmpfs
};

enum class Rights {
    kDefault,     // the capabilities that `runc spec` gives
    kDocker,      // those that podman and Docker give to root
    kPrivileged,  // all capabilities and devices, as `--privileged` gives
};

// Setters return *this. write() must come last; it may come again after further changes.
class Bundle {
  public:
    // Makes `folder` with rootfs/ in it.
    explicit Bundle(const std::filesystem::path& folder, RootFs content = RootFs::kBusybox);

    Bundle& args(const std::vector<std::string>& argv);
    Bundle& env(const std::string& name, const std::string& value);
    Bundle& annotation(const std::string& key, const std::string& value);
    // Copies a program of tests/targets to /bin/NAME (or to `inside`).
    Bundle& program(const std::string& name, const std::string& inside = "");
    Bundle& file(const std::string& inside, const std::string& text, int mode = 0644);
    Bundle& bind(const std::filesystem::path& host, const std::string& inside,
                 const std::string& access = "ro");
    Bundle& tmpfs(const std::string& inside);
    Bundle& rights(Rights rights);
    Bundle& capability(const std::string& name);
    Bundle& device(const std::string& path);  // as on the host
    Bundle& no_new_privileges(bool on);
    // The notify rules of an agent that listens on `socket`, as a person would write them by hand:
    // the execs, the forks, clone without CLONE_THREAD; clone3 gives ENOSYS. Everything else is
    // allowed.
    Bundle& notify(const std::filesystem::path& socket);
    void write() const;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::filesystem::path rootfs() const { return path_ / "rootfs"; }
    // For everything that has no setter.
    [[nodiscard]] nlohmann::ordered_json& config() { return config_; }

  private:
    void add_busybox();
    void add_host_usr();

    std::filesystem::path path_;
    nlohmann::ordered_json config_;
};

}  // namespace execseal::e2e
