#!/usr/bin/env bash
# The main job in one command: builds execseal and runs a real container under runc with a policy.
#
#   sudo deploy/quickstart.sh                                   the tour: allowed, denied and raced execs, with their events
#   sudo deploy/quickstart.sh --policy FILE [--rootfs DIR] -- COMMAND ARGS...
#                                                               your command under your policy; its exit code is passed on
# Everything it makes is in one temporary directory, removed at the end; nothing is installed but Debian packages.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
# shellcheck source=deploy/packages.sh
source deploy/packages.sh

usage() {
    echo "usage: sudo deploy/quickstart.sh [--policy FILE [--rootfs DIR] -- COMMAND ARGS...]" >&2
    exit 2
}

policy="" rootfs="" command=()
while (($#)); do
    case $1 in
        --policy | --rootfs)
            (($# >= 2)) || usage
            if [[ $1 == --policy ]]; then policy=$2; else rootfs=$2; fi
            shift 2
            ;;
        --)
            shift
            command=("$@")
            break
            ;;
        *) usage ;;
    esac
done
if [[ -n $policy || -n $rootfs || ${#command[@]} -gt 0 ]]; then
    [[ -f $policy && ${#command[@]} -gt 0 ]] || usage
    [[ -z $rootfs || -d $rootfs ]] || usage
    policy=$(realpath "$policy")
    [[ -z $rootfs ]] || rootfs=$(realpath "$rootfs")
fi
if ((EUID != 0)); then
    echo "deploy/quickstart.sh: a container under runc and its supervisor need root: sudo deploy/quickstart.sh" >&2
    exit 1
fi

install_packages "${build_packages[@]}" "${runtime_packages[@]}"
echo "building (release)"
cmake --preset release -DEXECSEAL_TESTS=OFF >/dev/null
cmake --build --preset release -- --quiet

work=$(mktemp -d /tmp/execseal-quickstart.XXXXXX)
id=execseal-quickstart-$$
cleanup() {
    runc delete --force "$id" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

build=$repository/build/release
export EXECSEAL_CONFIG=$work/config.json
events=$work/audit.jsonl
cat >"$EXECSEAL_CONFIG" <<JSON
{
    "runtimes": ["runc"],
    "hook": "$build/hook/execseal-hook",
    "run_dir": "$work/run",
    "policies_dir": "$work",
    "allowed_policies": ["*", "/**"],
    "audit": {"file": "$events"},
    "log": {"file": "$work/execseal.log", "level": "info"}
}
JSON

# make_bundle POLICY ROOTFS COMMAND ARGS...: an OCI bundle in $work/bundle.
make_bundle() {
    local policy=$1 rootfs=$2
    shift 2
    mkdir -p "$work/bundle"
    runc spec --bundle "$work/bundle"
    jq --arg policy "$policy" --arg rootfs "$rootfs" '
        .process.args = $ARGS.positional | .process.terminal = false
        | .root = {path: $rootfs, readonly: false}
        | .annotations["io.execseal.policy"] = $policy' \
        "$work/bundle/config.json" --args "$@" >"$work/spec.json"
    mv "$work/spec.json" "$work/bundle/config.json"
}

busybox_rootfs() {
    local root=$1 applet
    mkdir -p "$root"/{bin,tmp,etc,proc,sys,dev}
    cp "$(command -v busybox)" "$root/bin/busybox"
    for applet in $("$root/bin/busybox" --list); do
        ln -sf busybox "$root/bin/$applet"
    done
}

run_container() {
    "$build/runtime-shim/execseal-runtime" run --bundle "$work/bundle" "$id"
}

if [[ -n $policy ]]; then
    if [[ -z $rootfs ]]; then
        rootfs=$work/rootfs
        busybox_rootfs "$rootfs"
    fi
    make_bundle "$policy" "$rootfs" "${command[@]}"
    code=0
    run_container || code=$?
    echo "--- events" >&2
    "$build/hook/execseal" events --file "$events" >&2 || true
    exit "$code"
fi

policy=$repository/config/policies/demo.json
busybox_rootfs "$work/rootfs"
gcc -O2 -static -pthread -I"$repository" -o "$work/rootfs/bin/race" "$repository/tests/targets/attack_sibling_string.c"
for name in witness witness-evil; do
    gcc -O2 -static -I"$repository" -o "$work/rootfs/bin/$name" "$repository/tests/targets/witness.c"
done
cat >"$work/rootfs/tour.sh" <<'SH'
#!/bin/sh
try() {
    printf '%-34s ' "$*"
    if "$@" >/tmp/out 2>&1; then echo "ran"; else echo "refused: $(tail -n 1 /tmp/out)"; fi
}
try echo hello
try ls -l /bin/busybox
try wget http://example.com/payload
try busybox wget http://example.com/payload
try rm -r -f /etc
try rm /tmp/out
printf '\n%s\n' "1,000 execs of \"witness good\" while another thread writes \"witness evil\" over the argument:"
race 1000 | sed 's/^/    /'
SH
chmod +x "$work/rootfs/tour.sh"

echo
echo "--- a container under runc, policy $policy"
make_bundle "$policy" "$work/rootfs" /tour.sh
run_container
echo
echo "--- what was denied, and why (execseal events --verdict deny)"
"$build/hook/execseal" events --file "$events" --verdict deny | head -n 12
echo
echo "--- one event in full (one JSON line a decision)"
grep -m 1 '"wget"' "$events"
