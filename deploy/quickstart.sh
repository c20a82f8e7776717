#!/usr/bin/env bash
# The main job in one command: builds execseal and runs a real container under runc with a policy.
#
#   deploy/quickstart.sh                                   the tour: allowed, denied and raced execs, with their events
#   deploy/quickstart.sh --policy FILE [--rootfs DIR] -- COMMAND ARGS...
#                                                          your command under your policy; its exit code is passed on
# Needs root, and takes sudo itself where it exists.
# Everything it makes is in one temporary directory, removed at the end; nothing is installed but Debian packages.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
# shellcheck source=deploy/packages.sh
source deploy/packages.sh

usage="usage: deploy/quickstart.sh [--policy FILE [--rootfs DIR] -- COMMAND ARGS...]"

# wrong PROBLEM
wrong() {
    echo "deploy/quickstart.sh: $1; $usage" >&2
    exit 2
}

arguments=("$@")
policy="" rootfs="" command=()
while (($#)); do
    case $1 in
        --policy | --rootfs)
            (($# >= 2)) || wrong "$1: expected a value behind it"
            if [[ $1 == --policy ]]; then policy=$2; else rootfs=$2; fi
            shift 2
            ;;
        --)
            shift
            command=("$@")
            break
            ;;
        -h | --help)
            echo "$usage"
            exit 0
            ;;
        *) wrong "$1: expected --policy, --rootfs or --" ;;
    esac
done
if [[ -n $policy || -n $rootfs || ${#command[@]} -gt 0 ]]; then
    [[ -n $policy ]] || wrong "expected --policy"
    ((${#command[@]} > 0)) || wrong "expected -- COMMAND"
    [[ -f $policy ]] || wrong "--policy $policy: no such file"
    [[ -z $rootfs || -d $rootfs ]] || wrong "--rootfs $rootfs: no such directory"
    policy=$(realpath "$policy")
    [[ -z $rootfs ]] || rootfs=$(realpath "$rootfs")
fi
as_root "$repository/deploy/quickstart.sh" "${arguments[@]}"

install_packages "${build_packages[@]}" "${runtime_packages[@]}"
echo "building (release)"
log=$(mktemp)
if ! { cmake --preset release && cmake --build --preset release -- --quiet; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"

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
        "$work/bundle/config.json" --args -- "$@" >"$work/spec.json"
    mv "$work/spec.json" "$work/bundle/config.json"
}

busybox_rootfs() {
    local root=$1 applet
    mkdir -p "$root"/{bin,tmp,etc,proc,sys,dev}
    cp "$(command -v busybox)" "$root/bin/busybox"
    for applet in $("$root/bin/busybox" --list); do
        [[ $applet == busybox ]] || ln -s busybox "$root/bin/$applet"
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
    "$build/hook/cli/execseal" events >&2 || true
    exit "$code"
fi

policy=$repository/config/policies/demo.json
busybox_rootfs "$work/rootfs"
gcc -O2 -static -pthread -I"$repository" -o "$work/rootfs/bin/race" "$repository/tests/targets/attack_sibling_string.c"
for name in witness witness-evil; do
    gcc -O2 -static -I"$repository" -o "$work/rootfs/bin/$name" "$repository/tests/targets/witness.c"
done
cat >"$work/rootfs/tour.sh" <<'SH'
# Programs by their paths, and nothing but builtins around them: each exec below is one of the policy's.
try() {
    printf '  %-38s ' "$*"
    if "$@" >/tmp/out 2>&1; then
        echo "ran"
    else
        while read -r line; do last=$line; done </tmp/out
        echo "refused: ${last##*: }"
    fi
}
try /bin/echo hello
try /bin/ls -l /bin/busybox
try /bin/wget http://example.com/payload
try /bin/busybox wget http://example.com/x
try /bin/rm /tmp/out
try /bin/rm -r -f /etc
try /bin/sh -c 'echo a second shell'
echo
echo '  1,000 times "witness good", while another thread writes "evil" over the argument:'
/bin/race 1000
SH

echo
echo "--- a container under runc, policy config/policies/demo.json"
make_bundle "$policy" "$work/rootfs" /bin/sh /tour.sh
run_container | while IFS= read -r line; do
    if [[ $line == "{"* ]]; then
        jq -r '"    ran as judged: \(.good)   ran as something else: \(.evil)   refused: \(.refused)   killed: \(.killed)"' <<<"$line"
    else
        printf '%s\n' "$line"
    fi
done
echo
echo "--- what was denied, and why: execseal events --verdict deny"
"$build/hook/cli/execseal" events --verdict deny | sed -n 1,8p
echo
echo "--- one event in full: one JSON line a decision"
grep -m 1 '"/bin/wget"' "$events"
