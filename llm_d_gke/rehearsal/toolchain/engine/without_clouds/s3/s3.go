// Package s3 replaces the SDK of S3 by what Pulumi changes in a request that copies a file of a state.
package s3

// CopyObjectInput is such a request.
type CopyObjectInput struct{ CopySource *string }
