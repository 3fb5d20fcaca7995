"""Tools besides `pulumi up`. `bin/llmd --help` lists those for users; the others run as `python -m`.

Before a stack exists: `first_stack`, `size`, `catalog_tables`, `report`, `explain`, `environments` (`llmd diff`),
`fleet`, `preflight`, `stage`.

For a stack that runs: `verify`, `diagnose`, `dashboard`, `monitoring`, `bench`, `upgrades`, `backup`, `leftovers`.
`live_stack` is their access to its cluster and pods.

Into and out of this project: `adopt_manifests`, `import_cloud`, `eject`.

For the project itself: `reference` writes generated pages; `upstream`, `conformance`, `engine_facts`, `lock` and
`price_ages` keep the catalog true to its sources; `logs_check`, `speed_check`, `measure`, `routing_trace` and
`interruptions` hold estimates and promises against what is measured; `fuzz`, `provider_check`, `scan` and `prose` check
stacks and texts.
"""
