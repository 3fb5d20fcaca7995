"""A program of charts only. A network replaces the cluster, because only its identity matters here."""

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from llm_d_gke.components.platform.helm_releases import Controllers, PlatformCharts
from llm_d_gke.planning.platform.chart_namespaces import plan_chart_namespaces, plan_chart_policies
from tests.charts import EXISTING_CLUSTER, charts_of

config = pulumi.Config("charts")
changes = dict(EXISTING_CLUSTER) if config.require_bool("brought") else {}
if config.require_bool("existing"):
    changes |= {f"platform.{key}.existing": True for key in ("leaderWorkerSet", "certManager", "kserve", "istio")}
cluster = gcp.compute.Network("cluster")
provider = kubernetes.Provider("kubernetes", kubeconfig=cluster.self_link)
charts = charts_of(changes, kserve=True, istio=True)
namespaces = plan_chart_namespaces(charts)
PlatformCharts(
    Controllers(charts=charts, namespaces=namespaces, policies=plan_chart_policies(namespaces, enabled=True)),
    [cluster],
    None if config.require_bool("brought") else cluster,
    pulumi.ResourceOptions(providers=[provider]),
)
