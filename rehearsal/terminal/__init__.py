"""What a person reads: status, differences from GKE, failures, the answer of a chat request."""
