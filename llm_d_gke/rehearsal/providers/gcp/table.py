"""The simulated resource types: their facts from types.yaml, and what Google computes and checks for some of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.google_types import (
    ACCOUNT,
    ADDRESS,
    CLUSTER,
    NAT,
    NETWORK,
    NODE_POOL,
    ROUTER,
    SERVICE,
    SUBNETWORK,
    google_types,
)
from llm_d_gke.rehearsal.providers.gcp import cluster, network, platform, pools
from llm_d_gke.rehearsal.providers.gcp.kinds import FACTS, Kind, Name, hash_of

_FILE = Path(__file__).with_name("types.yaml")
# The rules that `name` of types.yaml refers to.
_NAMES: Final = {name: Name(**rule) for name, rule in FACTS["names"].items()}
_MEMBER_RULES = {"creating": platform.creating_member, "outputs": lambda context: {"etag": hash_of(context.id, 12)}}
_NAMED = {"outputs": lambda context: {"name": context.id}}
# Fields of `Kind` that are code, by type.
_RULES: Final[Mapping[str, Mapping[str, Any]]] = {
    NETWORK: {"outputs": platform.network_outputs, "deleting": network.deleting_network},
    SUBNETWORK: {
        "outputs": network.subnetwork_outputs,
        "creating": network.creating_subnetwork,
        "updating": network.updating_subnetwork,
        "deleting": network.deleting_subnetwork,
    },
    ROUTER: {"creating": network.creating_in_network},
    NAT: {"creating": network.creating_nat},
    ADDRESS: {"outputs": network.address_outputs, "creating": network.creating_address},
    CLUSTER: {
        "outputs": cluster.cluster_outputs,
        "creating": cluster.creating_cluster,
        "updating": cluster.updating_cluster,
        "deleting": cluster.deleting_cluster,
    },
    NODE_POOL: {"outputs": pools.pool_outputs, "creating": pools.checking_pool, "updating": pools.checking_pool},
    SERVICE: {"creating": platform.creating_service, "deleting": platform.deleting_service},
    ACCOUNT: {"outputs": platform.account_outputs},
    "gcp:projects/iAMMember:IAMMember": _MEMBER_RULES,
    "gcp:secretmanager/secretIamMember:SecretIamMember": _MEMBER_RULES,
    "gcp:storage/bucketIAMMember:BucketIAMMember": _MEMBER_RULES,
    "gcp:monitoring/dashboard:Dashboard": {
        "creating": platform.checking_dashboard,
        "updating": platform.checking_dashboard,
    },
    "gcp:monitoring/alertPolicy:AlertPolicy": _NAMED,
    "gcp:billing/budget:Budget": _NAMED,
    "gcp:gkehub/membership:Membership": _NAMED,
}


def _kinds() -> Iterator[Kind]:
    for token, entry in read_yaml(_FILE).items():
        name = _NAMES[entry.pop("name")] if "name" in entry else None
        computed = tuple(entry.pop("computed", ()))
        facts = {key: value for key, value in vars(google_types()[token]).items() if value is not None}
        yield Kind(name=name, computed=computed, **{**facts, **entry}, **_RULES.get(token, {}))


KINDS: Final[Mapping[str, Kind]] = {kind.token: kind for kind in _kinds()}
