"""Ask a published vLLM what it can do, and write the answers to catalog/engines/<version>.yaml."""
