"""Node pools, their Node objects, and the cluster autoscaler.

`nodes` is the only writer of Nodes. `node_pools` has the pools of the cloud's records, `autopilot` and
`compute_classes` those that GKE adds, `scale_up` decides which grows, by what `pod_requests` says.
"""
