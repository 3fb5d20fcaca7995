"""Real vLLM on this machine's processor, in place of the simulated engine: `up --engine vllm`."""
