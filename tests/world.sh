#!/usr/bin/env bash
# Other people's suites under a policy: each test gives the same with execseal-runtime in the runtime's place as without.
#     tests/world.sh [runc] [crun] [kernel] [stress]        all of them without a word; as root, after tests/run.sh or a build
#
#   runc    runc's own bats suite             (Debian's source package; its images are made by mmdebstrap and busybox)
#   crun    crun's tests of create, exec and seccomp                                          (Debian's source package)
#   kernel  the kernel's selftests exec and clone3, in a container                                (Debian's linux-source)
#   stress  stress-ng --exec --vfork --clone --fork --ptrace --verify, in a container
#
# The suites are fetched into build/world, which stays; results, bare and sealed, lie there too. Differences that are to be, with
# their reasons, stand below in expected().
set -euo pipefail
cd "$(dirname "$0")/.."
source=$PWD
world=$PWD/build/world
build=$PWD/build/dev
# shellcheck source=deploy/packages.sh
source deploy/packages.sh

as_root "$PWD/tests/world.sh" "$@"
parts=("$@")
((${#parts[@]})) || parts=(runc crun kernel stress)

# expected PART: what may differ, a line each: the test, a tab, why.
expected() {
    case $1 in
        runc)
            printf '%s\t%s\n' \
                'runc run \[seccomp\] (SECCOMP_FILTER_FLAG_.*)' 'it asks a filter for flags of its own: the merged one has the listener' \
                '.*seccomp-notify.*|.*\[seccomp\].*SCMP_ACT_NOTIFY.*' 'a container has one listener: another agent is refused in words' \
                'runc run \[seccomp\] \(empty listener path\)' 'a listenerPath of another agent is refused, also where no rule asks it' \
                'checkpoint.*' 'a restored filter has no listener: refused in words'
            ;;
        crun)
            printf '%s\t%s\n' 'seccomp-listener' 'a container has one listener: another agent is refused in words' \
                'start-override-config' 'crun --config with another file than the bundle'"'"'s own, which the hook goes by, is refused in words'
            ;;
        kernel-*)
            printf '%s\t%s\n' 'clone3.*' 'ENOSYS where forks are tracked: its flags lie in memory'
            ;;
    esac
}

# compare PART: build/world/PART.bare and PART.sealed have a line "RESULT TEST" each.
compare() {
    local part=$1 reason pattern line failed=0 differs
    differs=$(diff <(sort "$world/$part.bare") <(sort "$world/$part.sealed") | grep '^[<>]' || true)
    while IFS= read -r line; do
        [[ -n $line ]] || continue
        local known=
        while IFS=$'\t' read -r pattern reason; do
            if [[ ${line#[<>] } =~ ^[a-z]+\ ($pattern)$ ]]; then
                known=$reason
                break
            fi
        done < <(expected "$part")
        if [[ -n $known ]]; then
            echo "    expected: $line    ($known)"
        else
            echo "    DIFFERS:  $line"
            failed=1
        fi
    done <<<"$differs"
    echo "$part: $(grep -c '^ok' "$world/$part.bare") pass bare, $(grep -c '^ok' "$world/$part.sealed") sealed of $(wc -l <"$world/$part.bare")"
    local least=$2
    if (($(grep -c '^ok' "$world/$part.bare") < least)); then
        echo "    fewer than $least pass bare: the suite did not run"
        failed=1
    fi
    return "$failed"
}

# results: TAP on stdin to "RESULT TEST" lines.
results() {
    sed -nE -e 's/^ok [0-9]+ (- )?(.*[^ ]) *# *(skip|SKIP).*/skip \2/p;t' -e 's/^ok [0-9]+ (- )?(.*)/ok \2/p;t' \
        -e 's/^not ok [0-9]+ (- )?(.*)/failed \2/p'
}

# A node whose default policy judges every container; node NAME PROTECT CONDITIONS.
node() {
    mkdir -p "$world/$1/policies.d" "$world/$1/run"
    cat >"$world/$1/policies.d/world.json" <<EOF
{"apiVersion": "execseal/v1", "name": "world", "default": "allow", "protect": {"freeze": "$2"},
 "rules": [{"id": "never", "verdict": "deny", "exe": "/never"$3}]}
EOF
    cat >"$world/$1/config.json" <<EOF
{"runtimes": ["$4"], "hook": "$build/hook/execseal-hook", "run_dir": "/run/esw-$1", "policies_dir": "$world/$1/policies.d",
 "default_policy": "world", "audit": {"file": "$world/$1/audit.jsonl"}, "log": {"file": "$world/$1/log", "level": "info"}}
EOF
    printf '#!/bin/sh\nEXECSEAL_CONFIG=%s exec %s "$@"\n' "$world/$1/config.json" "$build/runtime-shim/execseal-runtime" >"$world/$1/runtime"
    chmod 755 "$world/$1/runtime"
    rm -f "$world/$1/audit.jsonl"
}

judged() {
    local count
    count=$(grep -c '"event":"exec"' "$world/$1/audit.jsonl" || true)
    echo "    $count execs judged"
    ((count >= $2))
}

# fetch_source PACKAGE: unpacked in build/world/PACKAGE, of the release that apt is set up for.
fetch_source() {
    [[ -d $world/$1 ]] && return
    mkdir -p "$world/apt/lists/partial"
    apt-get indextargets --format "deb-src [signed-by=\$(SIGNED_BY)] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
        'Created-By: Packages' 'Origin: Debian' | sort -u >"$world/apt/sources.list"
    local options=(-q -o "Dir::Etc::SourceList=$world/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$world/apt/lists" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update
    (cd "$world/apt" && apt-get "${options[@]}" source --download-only "$1" && dpkg-source -x "$1"_*.dsc "$world/$1.new")
    mv "$world/$1.new" "$world/$1"
}

busybox_root() {
    mkdir -p "$1"/{bin,sbin,usr/bin,usr/sbin,etc,tmp,root,home,var/www,proc,sys,dev}
    chmod 1777 "$1/tmp"
    cp /bin/busybox "$1/bin/busybox"
    local applet
    for applet in $("$1/bin/busybox" --list); do
        [[ $applet == busybox ]] || ln -sf busybox "$1/bin/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/false\nnobody:x:65534:65534::/home:/bin/false\n' >"$1/etc/passwd"
    printf 'root:x:0:\ndaemon:x:1:\nnobody:x:65534:\n' >"$1/etc/group"
}

prepare_runc() {
    install_packages bats gawk jq busybox-static mmdebstrap libseccomp-dev golang-go gcc
    fetch_source runc
    local tests=$world/runc/tests/integration helper
    if [[ ! -f $world/busybox.tar.xz ]]; then
        busybox_root "$world/busybox"
        tar -C "$world/busybox" -cJf "$world/busybox.tar.xz" .
    fi
    if [[ ! -f $world/debian.tar.xz ]]; then
        mmdebstrap --quiet --variant=minbase "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$world/debian.new.tar.xz"
        mv "$world/debian.new.tar.xz" "$world/debian.tar.xz"
    fi
    printf '#!/bin/sh\necho BUSYBOX_IMAGE=%s\necho DEBIAN_IMAGE=%s\n' "$world/busybox.tar.xz" "$world/debian.tar.xz" >"$tests/get-images.sh"
    chmod 755 "$tests/get-images.sh"
    for helper in recvtty sd-helper seccompagent; do
        [[ -x $world/runc/contrib/cmd/$helper/$helper ]] && continue
        GOBIN=$world/runc/contrib/cmd/$helper GOFLAGS=-mod=mod /usr/bin/go install -tags seccomp \
            "github.com/opencontainers/runc/contrib/cmd/$helper@v1.1.5"
    done
}

run_bats() {
    local hierarchies=/sys/fs/cgroup before after
    before=$(ls "$hierarchies")
    # Some of them need a terminal. Others leave the host's /dev/null to a user (an engine gives an exec's user what is its stdin).
    chown 0:0 /dev/null
    (cd "$world/runc" && RUNC=$1 script -qefc 'bats --tap tests/integration' /dev/null) </dev/null 2>"$world/$2.err" |
        tr -d '\r' >"$world/$2.tap" || true
    # They make a folder for each controller, mounted or not; podman takes one that is not mounted for a cgroup, and cannot remove it.
    if [[ $(stat -f -c %T "$hierarchies") == tmpfs ]]; then
        after=$(ls "$hierarchies")
        comm -13 <(sort <<<"$before") <(sort <<<"$after") | (cd "$hierarchies" && xargs -r rm -rf --)
    fi
    results <"$world/$2.tap" >"$world/$2"
}

part_runc() {
    prepare_runc
    node runc-node pidns ', "argv": {"contains": ["never"]}' runc
    run_bats "$(command -v runc)" runc.bare
    run_bats "$world/runc-node/runtime" runc.sealed
    judged runc-node 80
    compare runc 70
}

run_crun() {
    local suite
    for suite in test_start test_exec test_rlimits test_oci_features test_seccomp; do
        [[ -f $world/crun/tests/$suite.py ]] || continue
        (cd "$world/crun" && OCI_RUNTIME=$1 INIT=tests/init timeout 600 unshare -m sh -c \
            "umount /sys/fs/cgroup/unified 2>/dev/null; exec python3 tests/$suite.py") || true
    done >"$world/$2.tap" 2>"$world/$2.err"
    results <"$world/$2.tap" >"$world/$2"
}

part_crun() {
    install_packages crun python3 gcc
    fetch_source crun
    echo '#define HAVE_ERROR_H 1' >"$world/crun/config.h"
    [[ -x $world/crun/tests/init ]] || gcc -static -w -I"$world/crun" -o "$world/crun/tests/init" "$world/crun/tests/init.c"
    node crun-node pidns ', "argv": {"contains": ["never"]}' crun
    run_crun "$(command -v crun)" crun.bare
    run_crun "$world/crun-node/runtime" crun.sealed
    judged crun-node 5
    compare crun 10
}

# in_container RUNTIME COMMAND...: as $container_user (root), with the host's /usr, the capabilities that we have, and build/world/share at /share.
in_container() {
    local runtime=$1 bundle=$world/bundle id=world$$ capabilities name
    shift
    capabilities=$(capsh --decode="$(awk '/^CapBnd/ {print $2}' /proc/self/status)")
    rm -rf "$bundle"
    mkdir -p "$bundle/rootfs"/{usr,etc,tmp,proc,dev,sys,share}
    chmod 1777 "$bundle/rootfs/tmp"  # runc gives a tmpfs the mode of what is there
    for name in bin sbin lib lib64; do ln -s "usr/$name" "$bundle/rootfs/$name"; done
    (cd "$bundle" && runc spec)
    jq --arg share "$world/share" --arg capabilities "${capabilities#*=}" --argjson user "${container_user:-0}" '.process.terminal = false | .process.noNewPrivileges = false | .root.readonly = false
        | .process.args = $ARGS.positional | .process.user = {uid: $user, gid: $user}
        | .process.env = ["PATH=/usr/bin:/usr/sbin", "HOME=/tmp"]
        | .process.capabilities |= (map_values($capabilities | ascii_upcase | split(",")) | del(.ambient))
        | .mounts += [{"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]},
            {"destination": "/share", "type": "bind", "source": $share, "options": ["bind", "rw"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]}]' \
        "$bundle/config.json" --args -- "$@" >"$bundle/config.new"
    mv "$bundle/config.new" "$bundle/config.json"
    "$runtime" --root "$world/state" run --bundle "$bundle" "$id" </dev/null
}

prepare_kernel() {
    install_packages gcc make python3 jq libcap2-bin libcap-dev
    local package=linux-source-6.1 selftests=$world/selftests
    if [[ ! -d $selftests ]]; then
        mkdir -p "$world/apt"
        (cd "$world/apt" && apt-get -q download "$package" && dpkg-deb --fsys-tarfile "$package"_*.deb |
            tar -xO "./usr/src/$package.tar.xz" | tar -xJ "$package/tools/testing/selftests/exec" \
            "$package/tools/testing/selftests/clone3" "$package/tools/testing/selftests/lib.mk" \
            "$package/tools/testing/selftests/kselftest.h" "$package/tools/testing/selftests/kselftest_harness.h" \
            "$package/scripts" "$package/include/uapi" "$package/arch/x86/include/uapi")
        mv "$world/apt/$package/tools/testing/selftests" "$selftests"
    fi
    rm -rf "$world/share"
    mkdir -p "$world/share"
    local test
    for test in execveat load_address non-regular recursion-depth null-argv; do
        [[ -f $selftests/exec/$test.c ]] && gcc -w -D_GNU_SOURCE -I"$selftests" -o "$world/share/$test" "$selftests/exec/$test.c"
    done
    for test in clone3 clone3_set_tid clone3_clear_sighand clone3_cap_checkpoint_restore; do
        gcc -w -D_GNU_SOURCE -I"$selftests" -o "$world/share/$test" "$selftests/clone3/$test.c" -lcap
    done
    cp "$selftests/exec/binfmt_script.py" "$world/share/binfmt_script"
    # What exec's Makefile makes for execveat.
    (cd "$world/share" && mkdir -p subdir && printf '#!/bin/sh\nexit $*\n' >script && chmod 755 script &&
        cp execveat execveat.denatured && chmod 644 execveat.denatured && ln -sf execveat execveat.symlink)
}

# Of each program its TAP, or where it has none its exit code.
cat_kernel() {
    local runtime=$1 test code
    for test in execveat load_address non-regular recursion-depth null-argv binfmt_script \
        clone3 clone3_set_tid clone3_clear_sighand clone3_cap_checkpoint_restore; do
        [[ -e $world/share/$test ]] || continue
        code=0
        in_container "$runtime" /bin/sh -c "cd /share && timeout 120 ./$test" >"$world/kernel.out" 2>&1 || code=$?
        results <"$world/kernel.out" | sed -E -e "s/^([a-z]+) /\\1 $test: /" -e 's/0x[0-9a-f]+|pid [0-9]+|[0-9]{4,}/N/g'
        echo "$( ((code == 0)) && echo ok || echo failed) $test exits with $code"
    done
}

part_kernel() {
    prepare_kernel
    local failed=0
    cat_kernel "$(command -v runc)" >"$world/kernel-arguments.bare"
    cp "$world/kernel-arguments.bare" "$world/kernel-names.bare"
    node kernel-arguments-node pidns ', "argv": {"contains": ["never"]}' runc
    cat_kernel "$world/kernel-arguments-node/runtime" >"$world/kernel-arguments.sealed"
    node kernel-names-node off '' runc
    cat_kernel "$world/kernel-names-node/runtime" >"$world/kernel-names.sealed"
    judged kernel-arguments-node 20 || failed=1
    judged kernel-names-node 20 || failed=1
    compare kernel-arguments 10 || failed=1
    compare kernel-names 10 || failed=1
    return "$failed"
}

run_stress() {
    local stressor code
    for stressor in exec vfork clone fork ptrace; do
        code=0
        container_user=1000 in_container "$1" stress-ng --temp-path /tmp "--$stressor" 2 --verify --timeout "${WORLD_STRESS_SECONDS:-20}" \
            >"$world/stress.$stressor.out" 2>&1 || code=$?
        echo "$( ((code == 0)) && echo ok || echo failed) $stressor exits with $code"
    done
}

part_stress() {
    install_packages stress-ng jq libcap2-bin
    mkdir -p "$world/share"
    node stress-node pidns ', "argv": {"contains": ["never"]}' runc
    run_stress "$(command -v runc)" >"$world/stress.bare"
    run_stress "$world/stress-node/runtime" >"$world/stress.sealed"
    judged stress-node 20
    compare stress 5
}

mkdir -p "$world"
bad=()
for part in "${parts[@]}"; do
    case $part in
        runc | crun | kernel | stress) ;;
        *)
            echo "tests/world.sh: $part: expected runc, crun, kernel or stress" >&2
            exit 2
            ;;
    esac
    # In a shell of its own: set -e has no effect in a condition.
    set +e
    (
        set -e
        "part_$part"
    )
    code=$?
    ((code == 0)) || bad+=("$part")
    set -e
done
cd "$source"
if ((${#bad[@]})); then
    echo "tests/world.sh: not the same: ${bad[*]}"
    exit 1
fi
echo "tests/world.sh: the same with execseal as without"
