"""Finds why a running stack does not serve: causes with fixes, from objects, events and logs."""
