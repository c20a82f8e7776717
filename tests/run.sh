#!/usr/bin/env bash
# Installs what the tests need, builds, and runs all of them: sudo tests/run.sh [CTEST-ARGUMENTS]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh

if ((EUID != 0)); then
    echo "tests/run.sh: the kernel and e2e tests need root: sudo tests/run.sh" >&2
    exit 1
fi
install_packages "${build_packages[@]}" "${runtime_packages[@]}" "${test_packages[@]}"
tests/crictl.sh build/tools
cmake --preset dev >/dev/null
cmake --build --preset dev -- --quiet
exec ctest --preset dev --no-tests=error "$@"
