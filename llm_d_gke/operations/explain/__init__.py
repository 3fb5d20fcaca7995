"""Traces a field of an object, or an output, to settings, catalog facts, the planning function and the component.

Nothing is annotated: every setting and every fact that could matter is changed, one at a time, the stack is planned and
built again in this process, and what moves the field is its origin.

`command` prints, `explanation` puts one together: `fields` finds what is asked for, `inputs` lists settings and facts,
`alternatives` gives each another value, and `origins` plans again.
"""
