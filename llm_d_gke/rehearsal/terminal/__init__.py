"""Output for users: status, differences from GKE, failures, the answer of a chat request."""
