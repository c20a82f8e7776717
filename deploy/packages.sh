# Sourced by deploy/quickstart.sh and tests/run.sh: the Debian packages each of them needs, and how they get there.
# shellcheck shell=bash disable=SC2034

build_packages=(
    g++ cmake ninja-build pkg-config ccache
    libseccomp-dev nlohmann-json3-dev libcap-dev libboost-log-dev
    libre2-dev nettle-dev libcli11-dev libtomlplusplus-dev
    clang-14 bpftool libbpf-dev libelf-dev zlib1g-dev
)
runtime_packages=(runc crun busybox-static jq)
# What the test suite adds: GoogleTest, 32-bit targets, io_uring and AIO for the attacks, JSON schema, the other entry points' programs.
test_packages=(
    libgtest-dev libgmock-dev gcc-multilib liburing-dev libaio-dev libvalijson-dev libbenchmark-dev
    libcap2-bin shellcheck clang-format-14 groff-base
    podman containerd docker.io systemd python3 libpython3.11-testsuite zsh fish
    golang-go mmdebstrap python3-yaml python3-jsonschema prometheus
    strace gdb proot git perl nodejs postgresql-15 postgresql-plperl-15 bash-static sash posh nginx-light
)

# as_root SCRIPT ARGS...: becomes root by sudo, where there is one, and starts SCRIPT anew; root itself goes on.
as_root() {
    if ((EUID == 0)); then
        return
    fi
    if command -v sudo >/dev/null; then
        exec sudo -- "$@"
    fi
    echo "$1: needs root, and there is no sudo here: run it as root" >&2
    exit 1
}

# install_packages NAME...: installs those that are missing; says nothing when none is.
install_packages() {
    local missing=() name log
    for name in "$@"; do
        if [[ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" != installed ]]; then
            missing+=("$name")
        fi
    done
    if ((${#missing[@]} == 0)); then
        return
    fi
    if ((EUID != 0)); then
        echo "$0: run it as root, these packages are missing: ${missing[*]}" >&2
        exit 1
    fi
    echo "installing ${missing[*]}"
    log=$(mktemp)
    if ! { apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}
