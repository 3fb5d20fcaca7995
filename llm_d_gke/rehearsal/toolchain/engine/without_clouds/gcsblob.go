// Package gcsblob replaces the driver for buckets of Google Cloud by the scheme of their URLs.
package gcsblob

// Scheme is what URLs of these buckets begin with.
const Scheme = "gs"
