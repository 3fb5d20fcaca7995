"""The command line: options and help of every command. The work is done elsewhere, and imported when it is needed."""
