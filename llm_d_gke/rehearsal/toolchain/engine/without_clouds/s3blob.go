// Package s3blob replaces the driver for buckets of S3: no bucket of its scheme can be opened.
package s3blob
