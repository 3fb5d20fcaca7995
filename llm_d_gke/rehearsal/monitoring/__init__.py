"""Managed Service for Prometheus in the rehearsal: a real Prometheus, and Google's address in front of it."""
