#!/usr/bin/env bash
# One would guess: `restartPolicy: Default` of a LeaderWorkerSet is what a set without the field gets.
# What happens: without the field a set gets RecreateGroupOnPodRestart; `Default` is an accepted value that means None.
# Then only the failed pod restarts, and the other ranks of an engine that spans hosts stay behind with what they knew.
# Version: sigs.k8s.io/lws v0.9.0, pkg/webhooks/leaderworkerset_webhook.go; the value is in the CRD's list too.
# Output seen on 2026-11-29:
#   no restartPolicy: RecreateGroupOnPodRestart
#   restartPolicy: Default: None
#   restartPolicy: None: None
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOMODCACHE=$folder/modules GOFLAGS="-mod=mod -trimpath" GOWORK=off
cd "$folder"

cat >go.mod <<'GO'
module finding

go 1.26.0

require sigs.k8s.io/lws v0.9.0
GO
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"

	leaderworkerset "sigs.k8s.io/lws/api/leaderworkerset/v1"
	"sigs.k8s.io/lws/pkg/webhooks"
)

func main() {
	for _, written := range []string{"", "Default", "None"} {
		var set leaderworkerset.LeaderWorkerSet
		set.Spec.LeaderWorkerTemplate.RestartPolicy = leaderworkerset.RestartPolicyType(written)
		if err := (&webhooks.LeaderWorkerSetWebhook{}).Default(context.Background(), &set); err != nil {
			panic(err)
		}
		says := "restartPolicy: " + written
		if written == "" {
			says = "no restartPolicy"
		}
		fmt.Printf("%s: %s\n", says, set.Spec.LeaderWorkerTemplate.RestartPolicy)
	}
}
GO

seen=$(go run . 2>/dev/null)
echo "$seen"
expected=$(sed -nE 's/^#   ((no )?restartPolicy.*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
