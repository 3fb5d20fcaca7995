// Package cloud replaces the keys of clouds with which Pulumi encrypts secrets. The rehearsal's are encrypted by a passphrase.
package cloud

import (
	"encoding/json"
	"errors"

	"github.com/pulumi/pulumi/pkg/v3/secrets"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// Type is the name of these keys in a state.
const Type = "cloud"

var errWithoutClouds = errors.New("the rehearsal's Pulumi is built without the clouds' SDKs: it has no keys of a cloud for secrets")

// EditProjectStack refuses.
func EditProjectStack(*workspace.ProjectStack, json.RawMessage) error { return errWithoutClouds }

// NewCloudSecretsManagerFromState refuses.
func NewCloudSecretsManagerFromState(json.RawMessage) (secrets.Manager, error) {
	return nil, errWithoutClouds
}

// NewCloudSecretsManager refuses.
func NewCloudSecretsManager(*workspace.ProjectStack, string, bool) (secrets.Manager, error) {
	return nil, errWithoutClouds
}
