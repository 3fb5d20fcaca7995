"""What an engine version refuses of a model on an accelerator, by the tables that vLLM's own code filled.

Public doors: `deployment` (what is asked), `refusals` (every answer), `options` (flags of `vllm serve`), `tpu`.

Pure: a deployment in, reasons out. `catalog/engines/*.yaml` holds the facts; nothing here is known beside them. What
the tables do not say is unknown, which is no refusal. A version between two tables is refused what both refuse.
"""
