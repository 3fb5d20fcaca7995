"""Measures what docs/measurements.md states. Nothing here is a test: machines differ.

Of the program: `program` (planning, previews, many stacks). Of a rehearsed stack: `lifecycle` (up, down), `edge`,
`priorities`, `faults`, `scaling`, `upgrades`, `restore`. `rehearsed` has the stack, `traffic` sends the requests,
`bad_requests` those that have to be refused, and `table` has medians of several runs. `busy` repeats the end-to-end
tests while the cores are kept busy.
"""
