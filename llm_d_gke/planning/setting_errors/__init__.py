"""What is wrong in a stack file as it is written, and what to write instead.

`validation` turns the errors of the settings' types into findings: `keys` that are no setting, `values`, `groups` and
`texts` of another form, with `words` of other programs. `valid_parts` are the settings that remain without them.
"""
