// Package azureblob replaces the driver for buckets of Azure. No bucket of its scheme can be opened.
package azureblob

import (
	"context"
	"errors"
	"net/url"

	"gocloud.dev/blob"
)

// Scheme is what URLs of these buckets begin with.
const Scheme = "azblob"

// ServiceURLOptions has no options.
type ServiceURLOptions struct{}

// NewDefaultServiceURLOptions returns them.
func NewDefaultServiceURLOptions() *ServiceURLOptions { return &ServiceURLOptions{} }

// NewDefaultClient is never called.
func NewDefaultClient() {}

// URLOpener opens nothing.
type URLOpener struct {
	MakeClient        func()
	ServiceURLOptions ServiceURLOptions
}

// OpenBucketURL refuses a state in a bucket.
func (*URLOpener) OpenBucketURL(context.Context, *url.URL) (*blob.Bucket, error) {
	return nil, errors.New("the rehearsal's Pulumi is built without the clouds' SDKs and keeps its state in a folder")
}
