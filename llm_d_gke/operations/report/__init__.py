"""Reports of a stack's plan: a table on the terminal, Markdown, one HTML page, and the difference of two plans.

`load` plans a stack file, `collect` makes `facts` of the plan, and `terminal`, `markdown` and `page` (with `topology`)
print them, with the words of `formatting`. `compare` compares checkouts. `command` is the entry.
"""
