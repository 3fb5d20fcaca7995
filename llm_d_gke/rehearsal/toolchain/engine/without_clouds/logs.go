// Logs of functions in other clouds, which `pulumi logs` reads by their SDKs.

package operations

import (
	"context"
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
)

var errWithoutClouds = errors.New("the rehearsal's Pulumi is built without the clouds' SDKs: `make logs` shows what pods wrote")

// AWSOperationsProvider refuses.
func AWSOperationsProvider(context.Context, map[config.Key]string, *Resource) (Provider, error) {
	return nil, errWithoutClouds
}

// CloudOperationsProvider refuses.
func CloudOperationsProvider(map[config.Key]string, *Resource) (Provider, error) {
	return nil, errWithoutClouds
}

// GCPOperationsProvider refuses.
func GCPOperationsProvider(context.Context, map[config.Key]string, *Resource) (Provider, error) {
	return nil, errWithoutClouds
}
