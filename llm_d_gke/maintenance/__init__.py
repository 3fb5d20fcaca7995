"""Tools for those who work on this project, run by `make` or as `python -m llm_d_gke.maintenance.NAME`. No command of
a user needs them.

`upstream`, `conformance`, `engine_facts`, `lock` and `price_ages` keep the catalog true to its sources. `speed_check`,
`measure` and `interruptions` hold estimates and promises against what is measured. `fuzz`, `provider_check` and `scan`
check stacks, `prose` checks texts, `reference` writes generated pages. `wheels` is for the others: it downloads
wheels of PyPI and reads them.
"""
