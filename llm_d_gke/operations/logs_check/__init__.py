"""The memory verdict held against starts that were logged: rows, the judgment of each, and a summary."""
