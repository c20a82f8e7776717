#!/usr/bin/env bash
# The README's first command shows what it promises: the tour's lines, and with --policy the command's own exit code.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "quickstart: $1" >&2
    printf '%s\n' "$2" >&2
    exit 1
}

# expect PATTERN TEXT
expect() {
    grep -qE -- "$1" <<<"$2" || fail "expected a line like: $1" "$2"
}

tour=$(deploy/quickstart.sh 2>&1)
expect '/bin/echo hello +ran$' "$tour"
expect '/bin/wget .* +refused: Operation not permitted$' "$tour"
expect '/bin/rm -r -f /etc +refused: Operation not permitted$' "$tour"
expect 'ran as judged: [1-9][0-9]* +ran as something else: 0 ' "$tour"
expect 'no-network-tools +/bin/wget' "$tour"
expect '^\{"time":.*"exe":"/bin/wget".*"verdict":"deny"' "$tour"

code=0
own=$(deploy/quickstart.sh --policy config/policies/demo.json -- /bin/sh -c '/bin/echo mine; /bin/wget x; exit 7' 2>&1) || code=$?
((code == 7)) || fail "expected exit code 7, got $code" "$own"
expect '^mine$' "$own"
expect 'refused EPERM +no-network-tools' "$own"

code=0
bad=$(deploy/quickstart.sh --policy /nonexistent.json -- /bin/true 2>&1) || code=$?
((code == 2)) || fail "expected exit code 2 for a policy that is not there, got $code" "$bad"
expect '^deploy/quickstart.sh: --policy /nonexistent.json: no such file; usage: ' "$bad"
