#!/usr/bin/env bash
# Calls that this project does without, each with its reason; prints the lines that have one and fails.
# A line that must have it says so at its end: // allowed: WHY
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

failed=0
# forbid REGEX REASON [FOLDER...]
forbid() {
    local regex=$1 reason=$2 found
    shift 2
    found=$(grep -rnE --include='*.cpp' --include='*.h' "$regex" "${@:-hook config runtime-shim}" | grep -vE '^[^:]*:[0-9]+: *//|// allowed: |//.*errno') || return 0
    printf '%s\n    -> %s\n' "$found" "$reason"
    failed=1
}

folders=(hook config runtime-shim)
forbid '(^|[^[:alnum:]_])::((tg?)?kill|killpg)\(' 'a number may be somebody else'"'"'s by now: pidfd_send_signal(2)' "${folders[@]}"
forbid '(^|[^[:alnum:]_])::dup\(' 'the copy has no CLOEXEC and may be 0, 1 or 2: F_DUPFD_CLOEXEC from 3' "${folders[@]}"
forbid '(^|[^_.>[:alnum:]])(::|std::)?(system|popen)\(' 'a shell in between: spawn(), captured_run()' "${folders[@]}"
forbid '(sleep|usleep|nanosleep|sleep_for|sleep_until)\(' 'wait for the event, with a deadline' "${folders[@]}"
forbid '(^|[^_.>[:alnum:]])(::|std::)?(atoi|atol|strtol|strtoul|strtoll|strtoull|stoi|stol|stoul)\(' 'errors get lost or thrown: std::from_chars' "${folders[@]}"
forbid '(^|[^_.>[:alnum:]n])(::|std::)?(strcpy|strcat|sprintf|gets)\(' 'no bound: std::string, snprintf' "${folders[@]}"
forbid '^[^"]*[^_"/[:alnum:]]errno([^_"[:alnum:]]|$)' 'errno is read in hook/os only, on the line after the call' config runtime-shim hook/agent hook/cli hook/exec hook/gate hook/launch hook/supervisor hook/tasks hook/*.cpp hook/*.h
exit "$failed"
