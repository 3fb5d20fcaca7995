"""The rehearsal from end to end: its own commands, in a copy of the project, against everything they start."""
