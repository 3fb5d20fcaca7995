"""Output for users: status, differences from GKE, failures, the answer of a chat request.

`status` prints a stack, `planned_changes` a preview, `progress` the engine's lines, `waiting_pods` what `up` waits
for, `pod_logs` logs, `failures` words errors. `chat` sends a request; `request_path` and `scores` show where it went.
`on_gke` prints the same commands for a stack on GKE.
"""
