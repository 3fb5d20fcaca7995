"""Converts a running setup into a stack file: manifests, Helm values, and descriptions of clusters.

`documents` recognizes each form and hands it to its reader: `pods`, `nested` (pod templates inside other kinds),
`helm_values`, `inference_services` and `predictors` (KServe). Each makes the records of `servers`, from which `stack`
builds settings by `flags` (arguments of vLLM), `sources` (weights) and `known` (names in the catalog). `left_out` lists
fields that have no setting, `replacements` what takes the place of others. `command` is the entry, `errors` what a user
can correct.
"""
