"""Reports of a stack's plan: a table on the terminal, Markdown, one HTML page, and the difference of two plans.

`load` plans a stack file, `collect` makes `facts` of the plan, and `terminal`, `page` (with `topology`) and `command`
(Markdown, JSON) print them, with the words of `formatting`. `compare` compares checkouts. `command` is the entry.
"""
