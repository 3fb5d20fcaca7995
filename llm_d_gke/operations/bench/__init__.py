"""Measures a running stack with inference-perf, and compares the result with the plan's estimate.

`command` is the entry, and reads the engines' counters of cache hits. `scenario` reads scenarios.yaml, `workload` fits
one to a model, `run` starts the load generator, `service` stands for a Service without a picker, `result` reads the
files, `compare` holds two results against each other, and `page` is the report. `job` does the same inside the
cluster. `tokenizer_program` runs in the load generator's environment.
"""
