"""A page with the alerts and panels of a rehearsed stack, over its own Prometheus.

`command` serves it, `page` draws it, `alerts` asks which of them fire.
"""
