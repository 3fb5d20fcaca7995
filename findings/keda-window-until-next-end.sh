#!/usr/bin/env bash
# One would guess: a cron trigger of KEDA opens a window at `start` and closes it at the first `end` after that. An end
# on a day without a start has nothing to close.
# What happens: KEDA keeps no record of a start. It is inside a window whenever the next end comes before the next
# start, so a window closes only at the last end before the next start. With a start on weekdays and an end on every day
# the replicas run from Friday's start to Sunday's end. The same days in both lines do what was meant.
# Version: github.com/kedacore/keda/v2 v2.20.2, pkg/scalers/cron_scaler.go (GetMetricsAndActivity); kedacore/keda issue
# 4677.
# Output seen on 2026-11-30 (a window of an hour from midnight, on the day before this is run; replicas wanted now):
#   start 0 0 * * yesterday, end 0 1 * * yesterday: 0
#   start 0 0 * * yesterday, end 0 1 * * *: 5
#   start 0 0 * * yesterday, end 0 1 * * yesterday,today,tomorrow: 5
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOMODCACHE=$folder/modules GOFLAGS="-mod=mod -trimpath" GOWORK=off
cd "$folder"

cat >go.mod <<'GO'
module finding

go 1.26.0

require github.com/robfig/cron/v3 v3.0.1
GO
mkdir external_metrics
cat >external_metrics/types.go <<'GO'
package external_metrics

type ExternalMetricValue struct{ Value float64 }
GO
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"finding/external_metrics"

	"github.com/robfig/cron/v3"
)

// The parts of KEDA's types that its functions in scaler.go use; all of package scalers would be a thousand packages.
type cronScaler struct {
	metadata struct {
		Timezone        string
		DesiredReplicas int64
	}
	startSchedule, endSchedule cron.Schedule
}

func GenerateMetricInMili(_ string, value float64) external_metrics.ExternalMetricValue {
	return external_metrics.ExternalMetricValue{Value: value}
}

func must[Value any](value Value, err error) Value {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	now := time.Now().UTC()
	day := func(days int) string { return fmt.Sprint(int(now.AddDate(0, 0, days).Weekday())) }
	names := strings.NewReplacer("yesterday", day(-1), "today", day(0), "tomorrow", day(1))
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	start := "0 0 * * yesterday"
	for _, end := range []string{"0 1 * * yesterday", "0 1 * * *", "0 1 * * yesterday,today,tomorrow"} {
		var scaler cronScaler
		scaler.metadata.Timezone, scaler.metadata.DesiredReplicas = "UTC", 5
		scaler.startSchedule = must(parser.Parse(names.Replace(start)))
		scaler.endSchedule = must(parser.Parse(names.Replace(end)))
		values, _, err := scaler.GetMetricsAndActivity(context.Background(), "")
		if err != nil {
			panic(err)
		}
		fmt.Printf("start %s, end %s: %.0f\n", start, end, values[0].Value)
	}
}
GO
go mod download -json github.com/kedacore/keda/v2@v2.20.2 >module.json
sources=$(sed -nE 's/^\t"Dir": "(.*)",$/\1/p' module.json)
{
  printf 'package main\n\nimport (\n\t"context"\n\t"fmt"\n\t"time"\n\n\t"finding/external_metrics"\n\n'
  printf '\t"github.com/robfig/cron/v3"\n)\n\n'
  sed -n '/^func getCronTime/,/^}/p; /^func (s \*cronScaler) GetMetricsAndActivity/,/^}/p' \
    "$sources/pkg/scalers/cron_scaler.go"
} >scaler.go

seen=$(go run . 2>/dev/null)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   (start .*)$/\1/p' "$own")" ] || { echo "this is not what was seen before"; exit 1; }
