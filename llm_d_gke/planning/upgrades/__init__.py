"""Upgrades: the ordered steps from what a stack runs to another release, GKE version, driver or node pool."""
