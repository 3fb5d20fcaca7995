#!/usr/bin/env bash
# One would guess: a picker that has a profile for prefill and a decider for it sends long prompts to prefill servers,
# and a threshold of 0 new tokens sends all of them, since its documentation calls it the length above which prefill is
# triggered.
# What happens: 0 means never, and 0 is the default. A handler without a decider never does either. The picker starts,
# requests are answered, and the prefill servers are idle; a line of its log at start-up says so. 1 sends all prompts.
# Version: github.com/llm-d/llm-d-inference-scheduler v0.7.1, pkg/plugins/profile/prefix_based_pd_decider.go and
# disagg_profile_handler.go, docs/architecture.md.
# Output seen on 2026-11-30 (10,000 prompt tokens, of which no cache holds any):
#   no decider: decode alone
#   a decider without parameters: decode alone
#   a decider with {"nonCachedTokens": 0}: decode alone
#   a decider with {"nonCachedTokens": 1}: prefill, then decode
#   a decider with {"nonCachedTokens": 10001}: decode alone
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOMODCACHE=$folder/modules GOFLAGS="-mod=mod -trimpath" GOWORK=off
cd "$folder"

cat >go.mod <<'GO'
module finding

go 1.25.7

require (
	github.com/llm-d/llm-d-inference-scheduler v0.7.1
	sigs.k8s.io/gateway-api-inference-extension v1.4.0
)
GO
cat >main.go <<'GO'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/llm-d/llm-d-inference-scheduler/pkg/plugins/profile"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/datalayer"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/plugin"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/scheduling"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/plugins/datalayer/attribute/prefix"
)

const decider = profile.PrefixBasedPDDeciderPluginType

func create(factory plugin.FactoryFunc, name, parameters string, handle plugin.Handle) plugin.Plugin {
	var raw json.RawMessage
	if parameters != "" {
		raw = json.RawMessage(parameters)
	}
	created, err := factory(name, raw, handle)
	if err != nil {
		panic(err)
	}
	handle.AddPlugin(name, created)
	return created
}

// show asks a handler that has chosen a decode server which profile is next.
func show(says, ofHandler, ofDecider string) {
	ctx := context.Background()
	handle := plugin.NewEppHandle(ctx, func() []types.NamespacedName { return nil })
	create(profile.PrefixBasedPDDeciderPluginFactory, decider, ofDecider, handle)
	handler := create(profile.DisaggProfileHandlerFactory, "handler", ofHandler, handle).(scheduling.ProfileHandler)

	server := scheduling.NewEndpoint(&datalayer.EndpointMetadata{}, datalayer.NewMetrics(), datalayer.NewAttributes())
	server.Put(prefix.PrefixCacheMatchInfoKey, prefix.NewPrefixCacheMatchInfo(0, 625, 16))
	// The picker takes four characters for a token.
	prompt := &scheduling.CompletionsRequest{Prompt: strings.Repeat("word", 10000)}
	request := &scheduling.LLMRequest{Body: &scheduling.LLMRequestBody{Completions: prompt}}
	profiles := map[string]scheduling.SchedulerProfile{"decode": nil, "prefill": nil}
	chosen := map[string]*scheduling.ProfileRunResult{"decode": {TargetEndpoints: []scheduling.Endpoint{server}}}
	if _, prefill := handler.Pick(ctx, nil, request, profiles, chosen)["prefill"]; prefill {
		fmt.Println(says + ": prefill, then decode")
	} else {
		fmt.Println(says + ": decode alone")
	}
}

func main() {
	names := fmt.Sprintf(`{"deciders": {"prefill": %q}}`, decider)
	show("no decider", "", "")
	show("a decider without parameters", names, "")
	for _, tokens := range []int{0, 1, 10001} {
		parameters := fmt.Sprintf(`{"nonCachedTokens": %d}`, tokens)
		show("a decider with "+parameters, names, parameters)
	}
}
GO

seen=$(go run . 2>/dev/null)
echo "$seen"
expected=$(sed -nE 's/^#   (no|a)( decider.*)$/\1\2/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
