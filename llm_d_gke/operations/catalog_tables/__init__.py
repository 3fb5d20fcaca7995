"""Lists what the catalog has: models, accelerators, zones, machines, releases."""
