"""The workflow files, read and run step by step on a local Git server."""
