// Asks KServe's own validation about objects: one LLMInferenceService in JSON on each line of standard input, and for
// each one line of standard output, with what the webhook refuses and warns of. A line is empty where it accepts.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/kserve/kserve/pkg/apis/serving/v1alpha2"
)

const longestLine = 16 * 1024 * 1024

func judge(line []byte) string {
	service := &v1alpha2.LLMInferenceService{}
	if err := json.Unmarshal(line, service); err != nil {
		return err.Error()
	}
	warnings, err := (&v1alpha2.LLMInferenceServiceValidator{}).ValidateCreate(context.Background(), service)
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
