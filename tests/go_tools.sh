#!/usr/bin/env bash
# Builds what Debian does not have, or has in an older version, out of the Go module proxy: tests/go_tools.sh FOLDER puts there
#   crictl, nvidia-container-runtime    needed: without them this fails
#   runc-VERSION                        the runc that people run today, beside Debian's 1.1.5: without it its tests are skipped, by name
# Debian's go only fetches: these want a newer one, which is a module as well. What is fetched and compiled stays in go's own
# caches: minutes the first time on a machine, seconds afterwards.
set -euo pipefail
go=/usr/bin/go
toolchain=golang.org/toolchain@v0.0.1-go1.27.3.linux-$(dpkg --print-architecture)
crictl=sigs.k8s.io/cri-tools/cmd/crictl@v1.34.0
nvidia=github.com/NVIDIA/nvidia-container-toolkit/cmd/nvidia-container-runtime@v1.17.4
runc_version=1.5.3

unset GOROOT
GOBIN=$(realpath -m "$1")
export GOBIN GOTOOLCHAIN=local CGO_ENABLED=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! {
    root=$("$go" mod download -json "$toolchain" | jq -er .Dir) &&
        chmod +x "$root"/bin/* && find "$root/pkg/tool" -type f -exec chmod +x {} + &&
        "$root/bin/go" install -trimpath -ldflags="-s -w" "$crictl" &&
        CGO_ENABLED=1 "$root/bin/go" install -trimpath -ldflags="-s -w" "$nvidia" # dlopen(3) by cgo
} 2>"$log"; then
    cat "$log" >&2
    exit 1
fi
if [[ -x $GOBIN/runc-$runc_version ]]; then
    exit 0
fi
if CGO_ENABLED=1 timeout 900 "$root/bin/go" install -trimpath -tags "seccomp urfave_cli_no_docs" -ldflags="-s -w" \
    "github.com/opencontainers/runc@v$runc_version" 2>"$log"; then
    mv "$GOBIN/runc" "$GOBIN/runc-$runc_version"
else
    cat "$log" >&2
    echo "tests/go_tools.sh: runc $runc_version could not be had: its tests are skipped" >&2
fi
