// A program that puts objects to the validation of one controller's webhook: one object in JSON on each line of standard
// input, and for each one line of standard output with what the webhook refuses and warns of. A line is empty where it
// accepts. The file that is compiled with this one defines judge.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

const longestLine = 16 * 1024 * 1024

// answer is one line with the warnings, and the error if there is one.
func answer(warnings []string, err error) string {
	if err != nil {
		warnings = append(warnings, err.Error())
	}
	return strings.ReplaceAll(strings.Join(warnings, "; "), "\n", " ")
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		fmt.Println(answer(judge(lines.Bytes())))
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
