"""Charts without a network: packed from the Go modules of the projects that publish them, served to Helm locally.

`sources` finds a chart and leaves out what is not rehearsed, `registry` serves it.
"""
