"""Measures what docs/measurements/README.md states. Nothing here is a test: machines differ.

Of the program: `program` (planning, previews, many stacks). Of a rehearsed stack: `lifecycle` (up, down) and `restore`.
`table` has medians of several runs. `busy` repeats the end-to-end tests while the cores are kept busy; what happens to
requests under load and faults is measured by those tests themselves.
"""
