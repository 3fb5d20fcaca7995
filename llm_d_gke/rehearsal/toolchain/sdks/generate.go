// Writes the SDK of a Pulumi package in one language, by Pulumi's own generators: the language (nodejs or go) and the
// folder are its arguments, and the package's schema is read from standard input.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	golang "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

func generate(language string) (map[string][]byte, error) {
	var spec schema.PackageSpec
	if err := json.NewDecoder(os.Stdin).Decode(&spec); err != nil {
		return nil, err
	}
	loader := schema.NewPluginLoader(nil)
	bound, problems, err := schema.BindSpec(spec, loader, schema.ValidationOptions{})
	if err != nil {
		return nil, err
	}
	if problems.HasErrors() {
		return nil, problems
	}
	switch language {
	case "nodejs":
		return nodejs.GeneratePackage("pulumi", bound, nil, nil, true, nil)
	case "go":
		return golang.GeneratePackage("pulumi", bound, nil)
	}
	return nil, fmt.Errorf("no generator for %s", language)
}

func main() {
	files, err := generate(os.Args[1])
	for name, content := range files {
		path := filepath.Join(os.Args[2], name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o755)
		}
		if err == nil {
			err = os.WriteFile(path, content, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
