"""Replays a trace of prompts through the real endpoint picker of a release, with a stack's own configuration.

Of a cluster only what the picker reads is there: its pool, its pods, and the metrics of engines whose prefix caches are
modeled. So two configurations are compared in a minute each, on the same trace.
"""
