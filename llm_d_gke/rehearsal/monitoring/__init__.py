"""Managed Service for Prometheus in the rehearsal: a real Prometheus, and Google's address in front of it.

`collection` is GKE's managed collection: `scrape_config` makes the configuration of PodMonitorings, `prometheus` runs
the server. `google_apis` stands for Google's addresses, by which pods read metrics.
"""
