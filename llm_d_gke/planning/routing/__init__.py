"""Gateway, routes, endpoint picker, model router and network policies."""
