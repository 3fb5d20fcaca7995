"""Checks whether a running stack fulfills its plan: one check for each success criterion."""
