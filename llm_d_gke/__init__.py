"""llm-d inference on GKE: settings, the plan that follows from them, and the Pulumi resources that create it."""
