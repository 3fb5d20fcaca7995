"""The memory verdict held against starts that were logged: rows, the judgment of each, and a summary.

`wrapping` takes a log out of its format, `reader` with `machine` makes a row of it by the `lines` that vLLM prints,
`row` reads rows, `judgment` compares each with the memory model, and `summary` counts. `command` is the entry.
"""
