"""What has to be kept to bring a stack back elsewhere, and what changes in another region.

`command` makes the list, `state` and `contents` have its items, `google` asks for buckets, keys and secrets.
"""
