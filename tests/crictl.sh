#!/usr/bin/env bash
# Builds crictl and nvidia-container-runtime, which Debian does not have, out of the Go module proxy: tests/crictl.sh FOLDER puts
# them there.
# Debian's go only fetches: cri-tools want a newer one, which is a module as well. What is fetched and compiled stays in go's
# own caches: a minute the first time on a machine, a second afterwards.
set -euo pipefail
go=/usr/bin/go
toolchain=golang.org/toolchain@v0.0.1-go1.27.3.linux-$(dpkg --print-architecture)
crictl=sigs.k8s.io/cri-tools/cmd/crictl@v1.34.0
nvidia=github.com/NVIDIA/nvidia-container-toolkit/cmd/nvidia-container-runtime@v1.17.4

unset GOROOT
GOBIN=$(realpath -m "$1")
export GOBIN GOTOOLCHAIN=local CGO_ENABLED=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! {
    root=$("$go" mod download -json "$toolchain" | jq -er .Dir) &&
        chmod +x "$root"/bin/* && find "$root/pkg/tool" -type f -exec chmod +x {} + &&
        "$root/bin/go" install -trimpath -ldflags="-s -w" "$crictl" &&
        CGO_ENABLED=1 "$root/bin/go" install -trimpath -ldflags="-s -w" "$nvidia"  # dlopen(3) by cgo
} 2>"$log"; then
    cat "$log" >&2
    exit 1
fi
