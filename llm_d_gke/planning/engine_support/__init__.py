"""Why a version of vLLM refuses a model on an accelerator, by tables written from vLLM's own code.

Public modules: `deployment` (the input), `refusals` (the reasons), `options` (flags of `vllm serve`), `tpu`.

Pure functions from a deployment to reasons. All facts are in `catalog/engines/*.yaml`. What the tables do not state is
unknown, and unknown is not a refusal. A version between two tables is refused only what both tables refuse.
"""
