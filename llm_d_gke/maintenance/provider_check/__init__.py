"""Judges the Google Cloud resources of stacks by the provider itself, without credentials and without Google Cloud.

A provider validates a resource in two calls that need no cloud: `Check` (types, required arguments, permitted values,
arguments that exclude each other) and the planned creation of a preview (rules over several arguments). The engine
makes both calls in a preview; here `check` makes them for many stacks in seconds.
"""

from llm_d_gke.maintenance.provider_check.check import PluginError, Problem, plugin, problems

__all__ = ["PluginError", "Problem", "plugin", "problems"]
