#!/usr/bin/env bash
# Installs what the tests need, builds and runs all of them.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset dev >/dev/null
cmake --build --preset dev
ctest --preset dev
