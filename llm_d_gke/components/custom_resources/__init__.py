"""Typed specs of the custom resources that a stack creates. Field names are those of the API, in snake_case."""
