"""GKE's managed network driver: the RDMA cards of a node, published as devices that pods can claim."""

from __future__ import annotations

from rehearsal.autoscaler.node_pools import Pool
from rehearsal.kube import Manifest

# The label on a pool's nodes that starts the driver there (GKE documentation, "Allocate network resources by using GKE
# managed DRANET"), and the driver, whose class of devices has the same name.
LABEL = "cloud.google.com/gke-networking-dra-driver"
DRIVER = "mrdma.google.com"


def resource_slice(pool: Pool, node: Manifest) -> Manifest | None:
    """The cards of one node, one for each of its GPUs; None where there are none, or no driver that publishes them."""
    if not pool.rdma_cards or pool.labels.get(LABEL) != "true":
        return None
    metadata = node["metadata"]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {
            "name": f"{metadata['name']}-{DRIVER}",
            # It goes with its node.
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": metadata["name"], "uid": metadata["uid"]}],
        },
        "spec": {
            "driver": DRIVER,
            "nodeName": metadata["name"],
            "pool": {"name": metadata["name"], "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": f"gpu{number}rdma0"} for number in range(pool.rdma_cards)],
        },
    }
