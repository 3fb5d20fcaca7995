"""A page with the panels of a rehearsed stack's dashboard, over its own Prometheus.

`command` serves it, `page` draws it.
"""
