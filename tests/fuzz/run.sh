#!/usr/bin/env bash
# Runs the fuzz targets of build/fuzz, one after the other: tests/fuzz/run.sh [SECONDS [NAME...]], 600 s each if not said otherwise.
# New inputs go to build/fuzz/corpora, what fails to build/fuzz/findings. Ends with 1 if one failed.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-600}
names=("${@:2}")
if ((${#names[@]} == 0)); then
    mapfile -t names < <(basename -a -s _fuzz.cpp tests/fuzz/*_fuzz.cpp)
fi
mkdir -p build/fuzz/findings
failed=0
for name in "${names[@]}"; do
    seeds=("tests/data/corpora/$name")
    case $name in
        policy) seeds+=(tests/data/policies/good tests/data/policies/bad) ;;
        spec) seeds+=(tests/data/profiles) ;;
    esac
    mkdir -p "build/fuzz/corpora/$name"
    echo "$name"
    "build/fuzz/tests/fuzz/${name}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="build/fuzz/findings/$name-" "build/fuzz/corpora/$name" "${seeds[@]}" || failed=1
done
exit "$failed"
