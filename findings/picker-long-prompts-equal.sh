#!/usr/bin/env bash
# One would guess: of two replicas, one that has a whole prompt in its cache and one that has its first tenth, the
# prefix scorer prefers the first.
# What happens: only the first 256 blocks of a prompt are compared, 4,096 tokens in blocks of 16, the size that the
# picker takes over from vLLM. Beyond them all replicas are equal: conversations and documents behind one long system
# prompt score 1 wherever that prompt was once sent. The score is the part of the compared blocks, not of the prompt.
# Version: sigs.k8s.io/gateway-api-inference-extension v1.5.0, defaultConfig and hashPrompt of
# pkg/epp/framework/plugins/requestcontrol/dataproducer/approximateprefix, and scheduling/scorer/prefix, which take four
# characters for a token. maxPrefixTokensToMatch, or more maxPrefixBlocksToMatch, compares more.
# Output seen on 2026-11-30 (a prompt of 40,000 tokens; scores of replicas that had its first 2,000, 4,096 and 40,000):
#   default: 0.49 1.00 1.00
#   {"maxPrefixTokensToMatch": 131072}: 0.05 0.10 1.00
#   {"maxPrefixBlocksToMatch": 512}: 0.24 0.50 1.00
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOMODCACHE=$folder/modules GOFLAGS="-mod=mod -trimpath" GOWORK=off
cd "$folder"

cat >go.mod <<'GO'
module finding

go 1.25.0

require sigs.k8s.io/gateway-api-inference-extension v1.5.0
GO
cat >main.go <<'GO'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/datalayer"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/plugin"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/requestcontrol"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/scheduling"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/plugins/requestcontrol/dataproducer/approximateprefix"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/plugins/scheduling/scorer/prefix"
)

type producer interface {
	requestcontrol.PrepareDataPlugin
	requestcontrol.PreRequest
}

func must[Value any](value Value, err error) Value {
	if err != nil {
		panic(err)
	}
	return value
}

// scores sends each replica one prompt, and returns what each of them scores for another one.
func scores(parameters string, sent []string, prompt string) []string {
	ctx := context.Background()
	handle := plugin.NewEppHandle(ctx, func() []types.NamespacedName { return nil })
	created := must(approximateprefix.ApproxPrefixCacheFactory("", json.RawMessage(parameters), handle))
	index := created.(producer)
	var replicas []scheduling.Endpoint
	for number := range sent {
		name := types.NamespacedName{Namespace: "default", Name: fmt.Sprint("replica-", number)}
		metrics := datalayer.NewMetrics()
		metrics.CacheBlockSize = 16
		metadata := &datalayer.EndpointMetadata{NamespacedName: name}
		replicas = append(replicas, scheduling.NewEndpoint(metadata, metrics, datalayer.NewAttributes()))
	}
	ask := func(id, text string) *scheduling.LLMRequest {
		body := &scheduling.CompletionsRequest{Prompt: scheduling.Prompt{Raw: text}}
		request := &scheduling.LLMRequest{RequestId: id, Body: &scheduling.LLMRequestBody{Completions: body}}
		if err := index.PrepareRequestData(ctx, request, replicas); err != nil {
			panic(err)
		}
		return request
	}
	for number, text := range sent {
		chosen := &scheduling.ProfileRunResult{TargetEndpoints: replicas[number : number+1]}
		results := map[string]*scheduling.ProfileRunResult{"default": chosen}
		result := &scheduling.SchedulingResult{PrimaryProfileName: "default", ProfileResults: results}
		index.PreRequest(ctx, ask(fmt.Sprint(number), text), result)
	}
	// The index is filled in the background, and has no way to wait for it: ask until the last replica has the prompt.
	scorer := must(prefix.New(ctx))
	var found []string
	for range 500 {
		time.Sleep(10 * time.Millisecond)
		scored := scorer.Score(ctx, nil, ask("asked", prompt), replicas)
		found = nil
		for _, replica := range replicas {
			found = append(found, fmt.Sprintf("%.2f", scored[replica]))
		}
		if scored[replicas[0]] > 0 && scored[replicas[len(replicas)-1]] == 1 {
			break
		}
	}
	return found
}

func main() {
	var words strings.Builder
	for number := range 40000 {
		fmt.Fprintf(&words, "%04x", number)
	}
	prompt := words.String()
	other := strings.Repeat("else", 40000)
	sent := []string{prompt[:4*2000] + other, prompt[:4*4096] + other, prompt}
	for _, parameters := range []string{
		"{}", `{"maxPrefixTokensToMatch": 131072}`, `{"maxPrefixBlocksToMatch": 512}`,
	} {
		says := parameters
		if says == "{}" {
			says = "default"
		}
		fmt.Printf("%s: %s\n", says, strings.Join(scores(parameters, sent, prompt), " "))
	}
}
GO

seen=$(go run . 2>/dev/null)
echo "$seen"
expected=$(sed -nE 's/^#   ((default|\{).*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
