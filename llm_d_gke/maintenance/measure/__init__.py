"""Measures what docs/measurements.md states. Nothing here is a test: machines differ.

Of the program: `program` (planning, previews, imports, a second stack, many stacks). Of a rehearsed stack: `lifecycle`
(up, down, switches), `routing`, `edge`, `faults`, `priorities`, `scaling`. `planners` compares the memory model with
llm-d-planner's. `traffic` sends the requests, `bad_requests` those that have to be refused.
"""
