// Package authhelpers replaces Pulumi's credentials for buckets of Google Cloud.
package authhelpers

import (
	"context"
	"errors"

	"gocloud.dev/blob"
)

// GoogleCredentialsMux refuses a state in a bucket.
func GoogleCredentialsMux(context.Context) (*blob.URLMux, error) {
	return nil, errors.New("the rehearsal's Pulumi is built without the clouds' SDKs and keeps its state in a folder; " +
		"the Pulumi that is on the PATH takes its place")
}
