"""Writes a stack as gcloud commands, Helm values and manifests that need neither this project nor Pulumi.

`command` writes the folder. `google` and `clusters` have the gcloud commands, `inputs` sees that none leaves out an
input, `steps` orders manifests and charts, and `shell` quotes words.
"""
