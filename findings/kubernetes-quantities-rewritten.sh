#!/usr/bin/env bash
# One would guess: an amount of memory is read back from Kubernetes as it was written, or at most in a smaller unit of
# the same kind, and one that is no whole number of bytes is refused.
# What happens: 0.1Gi comes back as 107374182400m, thousandths of a byte, which a script that looks for Mi or Gi reads
# as a hundred billion or not at all. 1.5Gi comes back as 1536Mi, 1024Mi as 1Gi, but 1e3 and 1024 as they were. m is
# thousandths for memory too: 512m is accepted and means one byte.
# Version: k8s.io/apimachinery v0.36.0, pkg/api/resource/quantity.go, with which API servers read and write objects.
# Output seen on 2026-11-30 (written: read back, bytes):
#   0.1Gi: 107374182400m, 107374183
#   0.5Gi: 512Mi, 536870912
#   1.5Gi: 1536Mi, 1610612736
#   1024Mi: 1Gi, 1073741824
#   1024: 1024, 1024
#   1e3: 1e3, 1000
#   512m: 512m, 1
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOMODCACHE=$folder/modules GOFLAGS="-mod=mod -trimpath" GOWORK=off
cd "$folder"

cat >go.mod <<'GO'
module finding

go 1.26.0

require k8s.io/apimachinery v0.36.0
GO
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
)

func main() {
	for _, written := range []string{"0.1Gi", "0.5Gi", "1.5Gi", "1024Mi", "1024", "1e3", "512m"} {
		var quantity resource.Quantity
		if err := json.Unmarshal([]byte(`"`+written+`"`), &quantity); err != nil {
			panic(err)
		}
		text, err := json.Marshal(quantity)
		if err != nil {
			panic(err)
		}
		var back string
		if err := json.Unmarshal(text, &back); err != nil {
			panic(err)
		}
		fmt.Printf("%s: %s, %d\n", written, back, quantity.Value())
	}
}
GO

seen=$(go run . 2>/dev/null)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   ([0-9].*)$/\1/p' "$own")" ] || { echo "this is not what was seen before"; exit 1; }
