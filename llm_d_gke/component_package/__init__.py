"""The Pulumi component package `llm-d`: `InferenceStack` for programs in every language that Pulumi has."""
