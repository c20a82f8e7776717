#!/usr/bin/env bash
# Installs what the benchmarks need, builds a release, and measures:
#   tests/bench/run.sh [--rounds N] [--only GROUP,...] [--json FILE] [--plot FILE]
# First what a container pays (cost_bench), then a freeze beside the bare ptrace loop, then one decision and one event.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh

as_root "$PWD/tests/bench/run.sh" "$@"
install_packages "${build_packages[@]}" "${runtime_packages[@]}" "${test_packages[@]}" make gnuplot-nox
cmake --preset bench >/dev/null
cmake --build --preset bench -- --quiet
build/bench/tests/bench/cost_bench "$@"
build/bench/tests/bench/freeze_bench
build/bench/tests/bench/judge_bench 2>/dev/null
