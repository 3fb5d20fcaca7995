"""Random stack files: each has to end in a plan or in findings, never in another exception."""
