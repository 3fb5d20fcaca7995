#!/usr/bin/env bash
# One would guess: the prefix that an endpoint picker compares is that of the prompt. A chat request with other tools,
# which chat templates write before the first message, finds no cached prefix.
# What happens: of a chat request only the messages count. A replica that had the same messages with other tools, or
# under another chat_template, scores 1, and its engine has to compute the prompt again. Agents whose messages begin
# alike look alike, whatever their tools are. Of requests to /v1/responses tools count.
# Version: sigs.k8s.io/gateway-api-inference-extension v1.5.0, getUserInputBytes in hashing.go of
# pkg/epp/framework/plugins/requestcontrol/dataproducer/approximateprefix; reported there as issue 2218. Later sources
# of llm-d-router count tools. Templates with tools first: examples/tool_chat_template_hermes.jinja of vLLM.
# Output seen on 2026-11-30 (scores of a replica that had a request, for the next one):
#   chat completions, the same tools: 1.00
#   chat completions, other tools: 1.00
#   chat completions, another chat_template: 1.00
#   responses, the same tools: 1.00
#   responses, other tools: 0.00
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

// score sends one request to a replica, and returns what the replica scores for another one.
func score(sent, next scheduling.LLMRequestBody) float64 {
	ctx := context.Background()
	handle := plugin.NewEppHandle(ctx, func() []types.NamespacedName { return nil })
	index := must(approximateprefix.ApproxPrefixCacheFactory("", json.RawMessage("{}"), handle)).(producer)
	metadata := &datalayer.EndpointMetadata{NamespacedName: types.NamespacedName{Namespace: "default", Name: "replica"}}
	replica := scheduling.NewEndpoint(metadata, datalayer.NewMetrics(), datalayer.NewAttributes())
	replicas := []scheduling.Endpoint{replica}
	scorer := must(prefix.New(ctx))
	ask := func(body *scheduling.LLMRequestBody) float64 {
		request := &scheduling.LLMRequest{RequestId: "asked", Body: body}
		if err := index.PrepareRequestData(ctx, request, replicas); err != nil {
			panic(err)
		}
		return scorer.Score(ctx, nil, request, replicas)[replica]
	}
	ask(&sent)
	results := map[string]*scheduling.ProfileRunResult{"default": {TargetEndpoints: replicas}}
	result := &scheduling.SchedulingResult{PrimaryProfileName: "default", ProfileResults: results}
	index.PreRequest(ctx, &scheduling.LLMRequest{RequestId: "asked", Body: &sent}, result)
	// The index is filled in the background, and has no way to wait for it: wait until it has the first request.
	for try := 0; ask(&sent) < 1; try++ {
		if try == 500 {
			panic("the index is empty")
		}
		time.Sleep(10 * time.Millisecond)
	}
	return ask(&next)
}

func tool(name string) any {
	return map[string]any{"type": "function", "function": map[string]any{"name": name, "parameters": map[string]any{}}}
}

func chat(tools ...any) scheduling.LLMRequestBody {
	question := scheduling.Message{Role: "user", Content: scheduling.Content{Raw: strings.Repeat("word ", 400)}}
	messages := []scheduling.Message{question}
	return scheduling.LLMRequestBody{ChatCompletions: &scheduling.ChatCompletionsRequest{Messages: messages, Tools: tools}}
}

func templated(template string) scheduling.LLMRequestBody {
	body := chat()
	body.ChatCompletions.ChatTemplate = template
	return body
}

func responses(tools ...any) scheduling.LLMRequestBody {
	input := strings.Repeat("word ", 400)
	return scheduling.LLMRequestBody{Responses: &scheduling.ResponsesRequest{Input: input, Tools: tools}}
}

func main() {
	fmt.Printf("chat completions, the same tools: %.2f\n", score(chat(tool("search")), chat(tool("search"))))
	fmt.Printf("chat completions, other tools: %.2f\n", score(chat(tool("search")), chat(tool("calculate"))))
	fmt.Printf("chat completions, another chat_template: %.2f\n", score(templated("a"), templated("b")))
	fmt.Printf("responses, the same tools: %.2f\n", score(responses(tool("search")), responses(tool("search"))))
	fmt.Printf("responses, other tools: %.2f\n", score(responses(tool("search")), responses(tool("calculate"))))
}
GO

seen=$(go run . 2>/dev/null)
echo "$seen"
expected=$(sed -nE 's/^#   ((chat|responses).*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
