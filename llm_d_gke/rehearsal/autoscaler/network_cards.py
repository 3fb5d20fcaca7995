"""GKE managed DRANET: the RDMA network cards of a node as devices that pods can claim."""

from __future__ import annotations

from llm_d_gke.rehearsal.autoscaler.node_pools import Pool
from llm_d_gke.rehearsal.kube import Manifest

# The node label that starts the driver, and the driver, whose device class has the same name. Source: GKE docs,
# "Allocate network resources by using GKE managed DRANET".
LABEL = "cloud.google.com/gke-networking-dra-driver"
DRIVER = "mrdma.google.com"


def resource_slice(pool: Pool, node: Manifest) -> Manifest | None:
    """The cards of one node, one for each GPU. None without cards or without the driver."""
    if not pool.rdma_cards or pool.labels.get(LABEL) != "true":
        return None
    metadata = node["metadata"]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {
            "name": f"{metadata['name']}-{DRIVER}",
            # Deleted together with its node.
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": metadata["name"], "uid": metadata["uid"]}],
        },
        "spec": {
            "driver": DRIVER,
            "nodeName": metadata["name"],
            "pool": {"name": metadata["name"], "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": f"gpu{number}rdma0"} for number in range(pool.rdma_cards)],
        },
    }
