"""The control plane of a stack, and the objects that GKE installs into a new cluster.

`control_plane` starts the programs of `parts` with the `certificates`, and `addons` installs what GKE brings, which
`start_data` keeps for the next cluster.
"""
