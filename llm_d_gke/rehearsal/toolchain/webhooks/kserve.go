package main

import (
	"context"
	"encoding/json"

	"github.com/kserve/kserve/pkg/apis/serving/v1alpha2"
)

// judge puts an LLMInferenceService to KServe's own validation.
func judge(object []byte) ([]string, error) {
	service := &v1alpha2.LLMInferenceService{}
	if err := json.Unmarshal(object, service); err != nil {
		return nil, err
	}
	return (&v1alpha2.LLMInferenceServiceValidator{}).ValidateCreate(context.Background(), service)
}
