"""Prefill and decode on servers of their own."""
