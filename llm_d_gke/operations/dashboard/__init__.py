"""A page with the alerts and panels of a rehearsed stack, over its own Prometheus.

`command` serves it, `page` draws it, `prometheus` asks for the values, `alerts` finds out which alerts fire.
"""
