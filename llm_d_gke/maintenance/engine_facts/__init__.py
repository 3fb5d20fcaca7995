"""Ask a published vLLM what it can do, and write the answers to llm_d_gke/catalog/engines/<version>.yaml.

`questions` says what is asked for which cards, `environment` says where an engine is installed, `inside` is the
code that runs there, `tpu` reads sources for what needs a TPU, and `write` turns the answers into the file.

`lines` compares the verdicts on the command lines of `random_lines`, drawn from `families` of options, with the
engine's own, and with `random_models` those on configurations of models.
"""
