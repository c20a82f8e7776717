#!/usr/bin/env bash
# Who may include whom: a folder includes itself and the floors below it, and runtime-shim is included by nobody.
# Prints each include that goes up, and fails: tests/include_floors.sh [FOLDER]
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

# From the ground up; a line may use every line above it, its own folders not each other.
floors=(
    'hook/os'
    'config'
    'config/spec'
    'hook/launch'
    'hook/bpf hook/exec runtime-shim'
    'hook/tasks'
    'hook/gate'
    'hook/supervisor'
    'hook/agent hook/cli'
    'hook'
)
# The shim stops at hook/launch.
declare -A rank=()
for index in "${!floors[@]}"; do
    for folder in ${floors[index]}; do
        rank[$folder]=$index
    done
done

failed=0
files=0
while IFS=: read -r file line include; do
    files=$((files + 1))
    from=${file%/*}
    to=${include#*\"}
    to=${to%\"*}
    if [[ $to != */* ]]; then
        continue # generated
    fi
    to=${to%/*}
    if [[ -z ${rank[$from]:-} || -z ${rank[$to]:-} ]]; then
        echo "$file:$line: $from or $to stands on no floor: name it in $0"
        failed=1
    elif [[ $from != "$to" ]] && ((rank[$to] >= rank[$from])) || [[ $to == runtime-shim && $from != "$to" ]]; then
        echo "$file:$line: $from may not include $to"
        failed=1
    fi
done < <(grep -rnE --include='*.cpp' --include='*.h' '^#include "' hook config runtime-shim)
if ((files < 100)); then
    echo "only $files includes were found: is this the project's folder?"
    failed=1
fi
exit "$failed"
