"""Real vLLM on this machine's processor, in place of the simulated engine: `up --engine vllm`.

`prepare` does everything that comes before a start: `versions` (what can run here), `environment` (where each version
is installed, by `installation` with `stub_libraries`), `model_folders` with `tiny_model` and `tokenizer`. `arguments`
translates a command line, `serve` starts the engine.
"""
