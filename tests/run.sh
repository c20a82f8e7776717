#!/usr/bin/env bash
# Installs what the tests need, builds, and runs all of them: tests/run.sh [CTEST-ARGUMENTS]
# Needs root, and takes sudo itself where it exists.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh

as_root "$PWD/tests/run.sh" "$@"
install_packages "${build_packages[@]}" "${runtime_packages[@]}" "${test_packages[@]}"
tests/go_tools.sh build/tools
cmake --preset dev >/dev/null
cmake --build --preset dev -- --quiet
exec ctest --preset dev --no-tests=error "$@"
