"""Measures what docs/measurements.md states. Nothing here is a test: machines differ.

Of the program: `program` (planning, previews, imports, a second stack, many stacks). Of a rehearsed stack: `lifecycle`
(up, down, switches), `routing` (its prompts are those of `trace`), `edge`, `priorities`, `faults`, `scaling`,
`upgrades`, `restore`.
`planners` compares the memory model with llm-d-planner's. `rehearsed` has the stack, `traffic` sends the requests,
`bad_requests` those that have to be refused, and `table` has medians of several runs.
"""
