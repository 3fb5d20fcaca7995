"""Every wrong stack file there is, whatever it is wrong about."""

from __future__ import annotations

from tests.planning.refusals.accepted import (
    ACKNOWLEDGED,
    ARGUMENTS,
    BUDGET,
    NAMES,
    PICKER_SETTINGS,
    PINNED_IMAGES,
    PROJECTS,
    QUOTED,
    RANGES,
)
from tests.planning.refusals.autopilot import AUTOPILOT
from tests.planning.refusals.autoscaling import AUTOSCALING
from tests.planning.refusals.backend_tls import BACKEND_TLS
from tests.planning.refusals.disaggregation import DISAGGREGATION
from tests.planning.refusals.engine import ENGINE
from tests.planning.refusals.engine_checkpoints import ENGINE_CHECKPOINTS
from tests.planning.refusals.engine_conflicts import ENGINE_CONFLICTS
from tests.planning.refusals.engine_features import ENGINE_FEATURES
from tests.planning.refusals.engine_issues import ENGINE_ISSUES
from tests.planning.refusals.engine_raises import ENGINE_RAISES
from tests.planning.refusals.engine_sources import ENGINE_SOURCES
from tests.planning.refusals.engine_support import ENGINE_SUPPORT
from tests.planning.refusals.estimates import ESTIMATES
from tests.planning.refusals.fleet import FLEET
from tests.planning.refusals.kserve import GATEWAYS, IMAGES, KSERVE
from tests.planning.refusals.location import CLUSTER, PLACE, STACK
from tests.planning.refusals.models import MODEL, SOURCES
from tests.planning.refusals.multi_node import GROUPS
from tests.planning.refusals.nodes import NETWORK, NODES, PROVISIONING
from tests.planning.refusals.picker import PICKER
from tests.planning.refusals.reported import REPORTED
from tests.planning.refusals.requests import CERTIFICATES, PATTERNS, PICKERS, SPLITS
from tests.planning.refusals.security import EDGE, KEYS, PRIORITIES
from tests.planning.refusals.settings import ACCESS, CHARTS, SETTINGS
from tests.planning.refusals.without_effect import WITHOUT_EFFECT

EVERY = (
    *STACK,
    *WITHOUT_EFFECT,
    *PLACE,
    *CLUSTER,
    *NODES,
    *PROVISIONING,
    *AUTOPILOT,
    *FLEET,
    *NETWORK,
    *MODEL,
    *SOURCES,
    *GROUPS,
    *AUTOSCALING,
    *PATTERNS,
    *SPLITS,
    *PICKERS,
    *CERTIFICATES,
    *SETTINGS,
    *ACCESS,
    *CHARTS,
    *ESTIMATES,
    *ENGINE,
    *ENGINE_SUPPORT,
    *ENGINE_CONFLICTS,
    *ENGINE_FEATURES,
    *REPORTED,
    *ENGINE_ISSUES,
    *ENGINE_CHECKPOINTS,
    *ENGINE_RAISES,
    *ENGINE_SOURCES,
    *BACKEND_TLS,
    *DISAGGREGATION,
    *GATEWAYS,
    *IMAGES,
    *KSERVE,
    *PICKER,
    *PROJECTS,
    *ACKNOWLEDGED,
    *BUDGET,
    *PINNED_IMAGES,
    *NAMES,
    *ARGUMENTS,
    *RANGES,
    *QUOTED,
    *PICKER_SETTINGS,
    *KEYS,
    *EDGE,
    *PRIORITIES,
)
