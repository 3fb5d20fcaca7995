// Asks LeaderWorkerSet's own validation about objects: one LeaderWorkerSet in JSON on each line of standard input, and
// for each one line of standard output, with what the webhook refuses. A line is empty where it accepts.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	leaderworkerset "sigs.k8s.io/lws/api/leaderworkerset/v1"
	"sigs.k8s.io/lws/pkg/webhooks"
)

const longestLine = 16 * 1024 * 1024

func judge(line []byte) string {
	set := &leaderworkerset.LeaderWorkerSet{}
	if err := json.Unmarshal(line, set); err != nil {
		return err.Error()
	}
	webhook := &webhooks.LeaderWorkerSetWebhook{}
	if err := webhook.Default(context.Background(), set); err != nil {
		return err.Error()
	}
	warnings, err := webhook.ValidateCreate(context.Background(), set)
	said := []string(warnings)
	if err != nil {
		said = append(said, err.Error())
	}
	return strings.ReplaceAll(strings.Join(said, "; "), "\n", " ")
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		fmt.Println(judge(lines.Bytes()))
	}
}
