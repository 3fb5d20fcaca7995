#!/usr/bin/env bash
# One would guess: the label by which the model router finds its mapping ConfigMaps stays the same over patch and minor
# releases, as labels of an API do.
# What happens: it changed twice within a year. A ConfigMap with the label of another release is not an error: it is never
# read, the router writes an empty base model header, and no route matches.
# Versions: sigs.k8s.io/gateway-api-inference-extension v1.3.1, v1.4.0, v1.5.0 (body-based router) and
# github.com/llm-d/llm-d-inference-payload-processor v0.1.0, their Go sources.
# Output seen on 2026-11-28:
#   gateway-api-inference-extension v1.3.1: inference-gateway.k8s.io/managed
#   gateway-api-inference-extension v1.4.0: inference.networking.k8s.io/bbr-managed
#   gateway-api-inference-extension v1.5.0: inference.networking.k8s.io/bbr-managed
#   llm-d-inference-payload-processor v0.1.0: inference.llm-d.ai/ipp-managed
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOMODCACHE=$folder/modules GOFLAGS=-mod=mod
cd "$folder"

label_of() { # module, version
  local sources
  sources=$(go mod download -json "$1@$2" | sed -nE 's/^\t"Dir": "(.*)",$/\1/p')
  grep -rhoE '"[a-z0-9.-]+/([a-z]+-)?managed"' "$sources" --include='*.go' --exclude='*_test.go' --exclude-dir=test |
    tr -d '"' | sort -u
}

seen=$(
  for version in v1.3.1 v1.4.0 v1.5.0; do
    echo "gateway-api-inference-extension $version: $(label_of sigs.k8s.io/gateway-api-inference-extension $version)"
  done
  echo "llm-d-inference-payload-processor v0.1.0: $(label_of github.com/llm-d/llm-d-inference-payload-processor v0.1.0)"
)
echo "$seen"
expected=$(sed -nE 's/^#   (gateway|llm-d)(.*)$/\1\2/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
