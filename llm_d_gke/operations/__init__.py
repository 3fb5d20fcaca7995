"""Commands for users, besides `pulumi up`: `bin/llmd --help` lists them.

Before a stack exists: `first_stack`, `size`, `catalog_tables`, `report`, `explain`, `environments` (`llmd diff`),
`fleet`, `preflight`, `stage`, `logs_check`.

For a stack that runs: `verify`, `diagnose`, `dashboard`, `monitoring`, `bench`, `upgrades`, `backup`, `teardown` (`llmd
destroy`), `leftovers`. `live_stack` is their access to its cluster and pods, `google_cloud` that to its project,
`pulumi_cli` runs the user's Pulumi. `cluster_job` describes a Job beside it, and `choices` has the words that options
of several commands take.

Into and out of this project: `adopt_manifests`, `import_cloud`, `eject`.
"""
