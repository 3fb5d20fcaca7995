"""The resource graph of a Pulumi program, recorded in this process: no CLI, no provider, no cloud account.

graph = record(Path("."), stack="gpu", config={"llm-d:project": "..."})
pool = graph.one("gcp:container/nodePool:NodePool", "accelerators")
assert graph.depends(pool, graph.one("gcp:container/cluster:Cluster"))
"""

from llm_d_gke.resource_graph.answers import Answer, ResourceRequest, plausible
from llm_d_gke.resource_graph.model import Graph, Message, Options, Recorded
from llm_d_gke.resource_graph.monitor import EngineRefusalError
from llm_d_gke.resource_graph.recorder import Program, record
from llm_d_gke.resource_graph.values import (
    UNKNOWN,
    Asset,
    Reference,
    Secret,
    Unknown,
    Value,
    contains_unknown,
    jsonable,
)

__all__ = [
    "UNKNOWN",
    "Answer",
    "Asset",
    "EngineRefusalError",
    "Graph",
    "Message",
    "Options",
    "Program",
    "Recorded",
    "Reference",
    "ResourceRequest",
    "Secret",
    "Unknown",
    "Value",
    "contains_unknown",
    "jsonable",
    "plausible",
    "record",
]
