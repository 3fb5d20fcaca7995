"""Runs scanners over every pod and object of every stack: Pod Security, checkov and kube-score.

A pod is scanned wherever it stands: in a Deployment, inside a LeaderWorkerSet or an LLMInferenceService, in the output
of a chart, or in the Job that stages weights. Scanners do not look into custom resources, so each pod is written as a
manifest of its own.

`pods` collects what is scanned, `scanners` runs each scanner, `references` finds objects that name others which are not
there, and `exceptions` reads which failures are accepted.
"""
