#!/usr/bin/env bash
# One would guess: a Prometheus trigger of KEDA that finds no metric, or a value that is no finite number, is an error,
# at which the number of replicas stays as it is.
# What happens: by default, ignoreNullValues: true, all of that counts as 0. Where scraping fails, or an engine renames
# its metric, replicas go down to the minimum under full load. So they do at infinite load: a ratio such as waiting
# requests by running ones is +Inf while nothing runs yet, and +Inf is 0 too.
# Version: github.com/kedacore/keda/v2 v2.20.2, pkg/scalers/prometheus_scaler.go (ExecutePromQuery).
# Output seen on 2026-11-30 (what a query returns: by default, with ignoreNullValues false):
#   40: 40, 40
#   no series: 0, an error
#   NaN: 0, an error
#   +Inf: 0, an error
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOMODCACHE=$folder/modules GOFLAGS="-mod=mod -trimpath" GOWORK=off
cd "$folder"

printf 'module finding\n\ngo 1.26.0\n' >go.mod
# What the function uses of KEDA's other packages; all of package scalers would be a thousand packages.
mkdir authentication metricscollector
cat >authentication/config.go <<'GO'
package authentication

// Config has a method for each kind of login, of which none is used.
type Config struct {
	Username, Password, CustomAuthHeader, CustomAuthValue string
}

func (*Config) Disabled() bool          { return true }
func (*Config) EnabledBearerAuth() bool { return false }
func (*Config) EnabledBasicAuth() bool  { return false }
func (*Config) EnabledCustomAuth() bool { return false }
func (*Config) GetBearerToken() string  { return "" }
GO
cat >metricscollector/collector.go <<'GO'
package metricscollector

func RecordEmptyUpstreamResponse(_, _, _, _, _ string, _ bool) {}
GO
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
)

type logger struct{}

func (logger) Error(error, string, ...any) {}

type prometheusScaler struct {
	metadata   *prometheusMetadata
	httpClient *http.Client
	logger     logger

	scalableObjectNS, scalableObjectName, triggerName, metricName, resourceType string
}

func main() {
	for _, value := range []string{"40", "no series", "NaN", "+Inf"} {
		result := fmt.Sprintf(`[{"metric": {}, "value": [1764500000, %q]}]`, value)
		if value == "no series" {
			result = "[]"
		}
		server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(answer, `{"status": "success", "data": {"resultType": "vector", "result": %s}}`, result)
		}))
		var found []any
		for _, ignore := range []bool{true, false} {
			metadata := &prometheusMetadata{ServerAddress: server.URL, Query: "load", IgnoreNullValues: ignore}
			scaler := &prometheusScaler{metadata: metadata, httpClient: http.DefaultClient}
			load, err := scaler.ExecutePromQuery(context.Background())
			if err != nil {
				found = append(found, "an error")
			} else {
				found = append(found, load)
			}
		}
		server.Close()
		fmt.Printf("%s: %v, %v\n", value, found[0], found[1])
	}
}
GO
go mod download -json github.com/kedacore/keda/v2@v2.20.2 >module.json
scaler=$(sed -nE 's/^\t"Dir": "(.*)",$/\1/p' module.json)/pkg/scalers/prometheus_scaler.go
grep -q 'keda:"name=ignoreNullValues,.*default=true"' "$scaler" || { echo "the default changed"; exit 1; }
{
  printf 'package main\n\nimport (\n\t"context"\n\t"encoding/json"\n\t"fmt"\n\t"io"\n\t"math"\n\t"net/http"\n'
  printf '\turl_pkg "net/url"\n\t"strconv"\n\t"time"\n\n\t"finding/authentication"\n\t"finding/metricscollector"\n)\n\n'
  sed -n '/^type prometheusMetadata/,/^}/p; /^type promQueryResult/,/^}/p; /) ExecutePromQuery(/,/^}/p' "$scaler"
} >scaler.go

seen=$(go run . 2>/dev/null)
echo "$seen"
expected=$(sed -nE 's/^#   ((40|no|NaN|\+Inf).*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
