"""The checks, one module for each subject.

`objects` compares with the plan, `images` with the release's lock, `gateway` reads conditions, `requests` and
`patterns` send requests, and `replicas` looks at single pods.
"""
