"""Reads the sources of releases (flags, plugins, labels, environment variables) and records them for `conformance`.

`parts` locates the sources and says what is read from which; `go_source`, `vllm_source` and `charts` read it, and
`record` writes llm_d_gke/catalog/upstream.yaml.
"""
