"""Every wrong stack file there is, whatever it is wrong about."""

from __future__ import annotations

from tests.planning.refusals_backend_tls import BACKEND_TLS
from tests.planning.refusals_disaggregation import DISAGGREGATION
from tests.planning.refusals_estimates import ESTIMATES
from tests.planning.refusals_groups import GROUPS
from tests.planning.refusals_kserve import GATEWAYS, IMAGES, KSERVE
from tests.planning.refusals_models import MODEL, SOURCES
from tests.planning.refusals_nodes import NETWORK, NODES
from tests.planning.refusals_picker import PICKER
from tests.planning.refusals_place import CLUSTER, PLACE, STACK
from tests.planning.refusals_requests import CERTIFICATES, PATTERNS, PICKERS, SPLITS
from tests.planning.refusals_settings import ACCESS, CHARTS, SETTINGS

EVERY = (
    *STACK,
    *PLACE,
    *CLUSTER,
    *NODES,
    *NETWORK,
    *MODEL,
    *SOURCES,
    *GROUPS,
    *PATTERNS,
    *SPLITS,
    *PICKERS,
    *CERTIFICATES,
    *SETTINGS,
    *ACCESS,
    *CHARTS,
    *ESTIMATES,
    *BACKEND_TLS,
    *DISAGGREGATION,
    *GATEWAYS,
    *IMAGES,
    *KSERVE,
    *PICKER,
)
