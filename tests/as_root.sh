#!/usr/bin/env bash
# The scripts that need root take sudo themselves where it exists, with their arguments, and say what is needed where it does not.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/none"
cp -r deploy tests config "$work/"
chmod -R a+rX "$work"
printf '#!/bin/sh\nprintf "sudo:"; printf " <%%s>" "$@"; echo\n' >"$work/bin/sudo"
chmod +x "$work/bin/sudo"
for tool in bash dirname realpath env; do
    ln -s "$(command -v "$tool")" "$work/none/$tool"
done

as_nobody=()
if ((EUID == 0)); then
    as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
fi

fail() {
    echo "as_root: $1" >&2
    exit 1
}

for script in deploy/quickstart.sh tests/run.sh tests/bench/run.sh; do
    arguments=(-R "two words")
    if [[ $script == deploy/* ]]; then
        arguments=(--policy config/policies/demo.json -- /bin/echo "two words")
    fi
    got=$(cd "$work" && "${as_nobody[@]}" env PATH="$work/bin:$PATH" "$script" "${arguments[@]}")
    expected="sudo: <--> <$work/$script>$(printf ' <%s>' "${arguments[@]}")"
    [[ $got == "$expected" ]] || fail "$script: expected $expected, got $got"
    code=0
    got=$(cd "$work" && "${as_nobody[@]}" env PATH="$work/none" "$script" "${arguments[@]}" 2>&1) || code=$?
    ((code == 1)) || fail "$script without sudo: expected exit code 1, got $code: $got"
    [[ $got == *"needs root, and there is no sudo here"* ]] || fail "$script without sudo: got $got"
done
