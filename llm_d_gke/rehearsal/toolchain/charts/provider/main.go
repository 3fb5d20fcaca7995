// Command provider is Pulumi's Kubernetes provider. The provider's own command embeds two files that its Go module does
// not contain, so this one reads the schema, which the module does contain, from a file. The engine warns of a version
// below the SDK's, which a snapshot of the module has, so the version is the caller's.
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

func main() {
	schema, err := os.ReadFile(os.Getenv("REHEARSAL_PROVIDER_SCHEMA"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "REHEARSAL_PROVIDER_SCHEMA must name the provider's schema.json:", err)
		os.Exit(1)
	}
	provider.Serve("kubernetes", os.Getenv("REHEARSAL_PROVIDER_VERSION"), schema, []byte("{}"))
}
