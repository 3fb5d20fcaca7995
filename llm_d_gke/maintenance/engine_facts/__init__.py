"""Ask a published vLLM what it can do, and write the answers to llm_d_gke/catalog/engines/<version>.yaml."""
