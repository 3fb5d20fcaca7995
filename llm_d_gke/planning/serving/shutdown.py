"""Start and end of pods without losing a request: listed, notice, drain, end. All in seconds."""

from __future__ import annotations

# A new pod is ready this long before an old one is ended: until then the load balancer has its address and has seen
# its health check pass, every 5 s. Google's readiness gate would tell, but pods of an InferencePool do not get it
# (cloud.google.com/kubernetes-engine/docs/concepts/container-native-load-balancing: Services of an Ingress do).
LISTED_SECONDS = 15

# A terminating pod keeps serving this long, until picker and load balancer notice that it is leaving. KServe waits as
# long in front of vLLM (kserve/kserve, pull request 5496). The kubelet's own sleep is there wherever GKE's Inference
# Gateway is: Kubernetes has it since 1.30.
NOTICE_SECONDS = 15

# Requests that began have this long to end; the load balancer keeps their connections as long.
DRAIN_SECONDS = 60

# Pickers and routers end the calls they have, within this time (controller-runtime's graceful shutdown).
CALLOUT_DRAIN_SECONDS = 30

# What a process needs to end once its requests have.
END_SECONDS = 15
