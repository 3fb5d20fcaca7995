"""The command line: options and help of every command. The work is done elsewhere, and imported when it is needed.

`app` has the list of commands by panel; their functions are in `choose`, `judge`, `environments`, `watch` and `change`.
"""
