"""Typed specs of the custom kinds this stack writes. The names of fields are the kinds' own, in snake_case."""
