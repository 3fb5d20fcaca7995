"""Controllers that a stack may need in its cluster: installed by their charts, or there already."""

from typing import Annotated

from pydantic import Field

from llm_d_gke.settings.base import Settings


class ControllerSettings(Settings):
    """One controller. It is installed only where the stack needs it."""

    existing: Annotated[
        bool, Field(description="The existing cluster has it already, in a version the release works with.")
    ] = False


class PlatformSettings(Settings):
    """Components of the cluster in addition to those of GKE."""

    leader_worker_set: Annotated[
        ControllerSettings, Field(description="LeaderWorkerSet: replicas that span several pods.")
    ] = ControllerSettings.defaults()
    cert_manager: Annotated[
        ControllerSettings,
        Field(description="cert-manager: certificates of KServe's webhooks, and of the Gateway where it asks for one."),
    ] = ControllerSettings.defaults()
    kserve: Annotated[ControllerSettings, Field(description="KServe's controller of LLMInferenceServices.")] = (
        ControllerSettings.defaults()
    )
    istio: Annotated[ControllerSettings, Field(description="Istio with the inference extension.")] = (
        ControllerSettings.defaults()
    )
    keda: Annotated[
        ControllerSettings, Field(description="KEDA: replicas that follow the load. An existing one is 2.18 or newer.")
    ] = ControllerSettings.defaults()
