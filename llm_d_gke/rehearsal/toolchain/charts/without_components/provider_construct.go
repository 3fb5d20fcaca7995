// Package provider replaces the one file of Pulumi's Kubernetes provider that leads to its component resources. They need
// Pulumi's Kubernetes SDK for programs in Go, a quarter of the sources, and the program of this project registers none.
package provider

import (
	"context"
	"fmt"

	providerresource "github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

var resourceProviders map[string]providerresource.ResourceProviderFactory

// Construct refuses a component resource.
func (*kubeProvider) Construct(_ context.Context, request *pulumirpc.ConstructRequest) (*pulumirpc.ConstructResponse, error) {
	return nil, fmt.Errorf("the rehearsal's Kubernetes provider is built without component resources such as %s; "+
		"`pulumi plugin install resource kubernetes` installs one that has them", request.GetType())
}
