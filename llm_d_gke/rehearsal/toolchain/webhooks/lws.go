package main

import (
	"context"
	"encoding/json"

	leaderworkerset "sigs.k8s.io/lws/api/leaderworkerset/v1"
	"sigs.k8s.io/lws/pkg/webhooks"
)

// judge sets the defaults of a LeaderWorkerSet, then puts it to LeaderWorkerSet's own validation.
func judge(object []byte) ([]string, error) {
	set := &leaderworkerset.LeaderWorkerSet{}
	if err := json.Unmarshal(object, set); err != nil {
		return nil, err
	}
	webhook := &webhooks.LeaderWorkerSetWebhook{}
	if err := webhook.Default(context.Background(), set); err != nil {
		return nil, err
	}
	return webhook.ValidateCreate(context.Background(), set)
}
