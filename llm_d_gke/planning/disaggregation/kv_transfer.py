"""Transfer of the KV cache from prefill to decode servers with vLLM's connectors.

Each fixes together what has to agree: the JSON of `--kv-transfer-config`, ports, environment, extra arguments.
Sources: llm-d guides/pd-disaggregation (GPU, TPU v6 and v7), tpu_inference/distributed/tpu_connector.py, vLLM's
NixlConnector usage guide.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.planning.parallelism.rdma import uses_rdma
from llm_d_gke.planning.plan.pods import EnvPlan, PortPlan
from llm_d_gke.planning.served_model import ServedModel

Stage = Literal["decode", "prefill"]

# How vLLM stores the convolution states of recurrent layers: by token (SD) or by channel (DS).
STATE_LAYOUT, BY_CHANNEL = "VLLM_SSM_CONV_STATE_LAYOUT", "DS"
_ROLES: dict[str, str] = {"prefill": "kv_producer", "decode": "kv_consumer"}


@dataclass(frozen=True, kw_only=True)
class Nixl:
    """NVIDIA's transfer library: decode reads the memory of prefill, over RDMA where the node has it, else over TCP.

    `hybrid` models keep blocks of several kinds, which vLLM otherwise gives up as soon as a connector is configured;
    before 0.18 the connector refuses such blocks (distributed/kv_transfer/kv_connector/factory.py). `states` of
    recurrent layers are transferred by channel, which is not vLLM's own layout of them (nixl/base_worker.py). With
    `rdma` a card reaches those of all rails: on GKE each rail is a subnet, and UCX takes other subnets for unreachable
    (llm-d guides/pd-disaggregation/modelserver/gpu/vllm/gke, pull request 1821).
    """

    hybrid: bool
    states: bool = False
    rdma: bool = False
    side_channel_port: int = 5600

    def config(self, stage: Stage) -> dict[str, str]:
        return {"kv_connector": "NixlConnector", "kv_role": _ROLES[stage]}

    @property
    def ports(self) -> tuple[PortPlan, ...]:
        return (PortPlan(name="nixl", number=self.side_channel_port),)

    @property
    def environment(self) -> tuple[EnvPlan, ...]:
        return (
            EnvPlan(name="VLLM_NIXL_SIDE_CHANNEL_HOST", field_path="status.podIP"),
            EnvPlan(name="VLLM_NIXL_SIDE_CHANNEL_PORT", value=str(self.side_channel_port)),
            *((EnvPlan(name="UCX_IB_ROCE_REACHABILITY_MODE", value="all"),) if self.rdma else ()),
            *((EnvPlan(name=STATE_LAYOUT, value=BY_CHANNEL),) if self.states else ()),
        )


@dataclass(frozen=True, kw_only=True)
class TpuConnector:
    """JAX's transfer server: decode pulls whole blocks from the address that prefill names."""

    hybrid: bool = False
    transfer_port: int = 9100
    side_channel_port: int = 9600
    name: str = "TPUConnector"
    module: str = "tpu_inference.distributed.tpu_connector"

    def config(self, stage: Stage) -> dict[str, str]:
        return {
            "kv_connector": self.name,
            "kv_connector_module_path": self.module,
            "kv_role": _ROLES[stage],
            "kv_ip": "$(POD_IP)",
        }

    @property
    def ports(self) -> tuple[PortPlan, ...]:
        return (
            PortPlan(name="kv-transfer", number=self.transfer_port),
            PortPlan(name="kv-side", number=self.side_channel_port),
        )

    @property
    def environment(self) -> tuple[EnvPlan, ...]:
        return (
            # Before what refers to it.
            EnvPlan(name="POD_IP", field_path="status.podIP"),
            EnvPlan(name="TPU_KV_TRANSFER_PORT", value=str(self.transfer_port)),
            EnvPlan(name="TPU_SIDE_CHANNEL_PORT", value=str(self.side_channel_port)),
        )


@dataclass(frozen=True, kw_only=True)
class TpuConnectorHma(TpuConnector):
    """Of v7x, for models with attention of several kinds."""

    hybrid: bool = True
    name: str = "TPUConnectorHMA"
    module: str = "tpu_inference.distributed.tpu_connector_hma"


KvTransfer = Nixl | TpuConnector | TpuConnectorHma


def transfer_of(served: ServedModel) -> KvTransfer:
    """The connector of an accelerator and a model.

    One whose memory is not computed has layers of several kinds where vLLM's class of it keeps states.
    """
    model, engine = served.model, load_engine()
    kinds = set() if model is None else {group.kind for group in model.attention}
    # Chunked attention turns the manager of several kinds off, and vLLM refuses to be asked for it.
    hybrid = (len(kinds) > 1 and "chunked" not in kinds) or (model is None and served.recurrent)
    if served.accelerator.kind == "gpu":
        # A stack file that states the layout itself keeps it.
        states = served.recurrent and STATE_LAYOUT not in served.settings.env
        return Nixl(
            hybrid=hybrid and engine.transfers_kinds(served.version),
            states=states and engine.asks_for_state_layout(served.version),
            rdma=uses_rdma(served.ctx, served.parallelism),
        )
    return TpuConnectorHma() if hybrid and served.accelerator.devices_per_chip > 1 else TpuConnector()


def arguments(transfer: KvTransfer, stage: Stage) -> tuple[str, ...]:
    """Of `vllm serve`."""
    config = json.dumps(transfer.config(stage), separators=(",", ":"))
    hybrid = ("--no-disable-hybrid-kv-cache-manager",) if transfer.hybrid else ()
    return ("--kv-transfer-config", config, *hybrid)
