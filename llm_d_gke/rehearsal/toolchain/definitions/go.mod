module example.invalid/rehearsal/definitions

go 1.26.0

// Only for the files they carry: nothing here is compiled.
require (
	github.com/cert-manager/cert-manager v1.20.2
	github.com/kedacore/charts v2.20.2+incompatible
	istio.io/api v1.29.2
	// The last version with the InferencePool of before.
	sigs.k8s.io/gateway-api-inference-extension v1.4.0
)
