"""Reports of a stack's plan: a table on the terminal, Markdown, one HTML page, and the difference of two plans."""
