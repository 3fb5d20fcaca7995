"""Reads the sources of releases (flags, plugins, labels, environment variables) and records them for `conformance`."""
