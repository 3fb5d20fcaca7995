"""Separate servers for prefill and decode."""
