"""Before the first `up`: what a stack asks of a Google Cloud project, and what the project says to it."""
