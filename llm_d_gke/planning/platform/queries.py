"""PromQL over a stack's metrics in Managed Service for Prometheus, by the names of metrics.yaml."""

from __future__ import annotations

from llm_d_gke.catalog.metrics import load_metrics

WINDOW = "5m"


def bucket_of(metric: str, seconds: float) -> float:
    """The least upper bound of a histogram's buckets that is not below `seconds`; else the largest."""
    buckets = load_metrics().metrics[metric].buckets
    return next((bound for bound in buckets if bound >= seconds), buckets[-1])


class Queries:
    """PromQL over one stack's metrics, under the names of its release."""

    def __init__(self, picker_prefix: str, cluster: str, namespace: str) -> None:
        self._prefix = picker_prefix
        self._labels = f'cluster="{cluster}",namespace="{namespace}"'

    def series(self, metric: str, suffix: str = "", *, more: str = "") -> str:
        name = load_metrics().name(metric, self._prefix)
        return f'{{__name__="{name}{suffix}",{self._labels}{more}}}'

    def rate(self, metric: str, window: str = WINDOW, suffix: str = "", *, more: str = "") -> str:
        return f"rate({self.series(metric, suffix, more=more)}[{window}])"

    def quantile(self, metric: str, quantile: float, by: str = "model_name") -> str:
        return f"histogram_quantile({quantile:g}, sum by (le, {by}) ({self.rate(metric, suffix='_bucket')}))"

    def slower_ratio(self, metric: str, seconds: float, window: str) -> str:
        """Share of requests that took longer than the bucket that `seconds` falls into; none without requests."""
        bound = bucket_of(metric, seconds)
        # Clients of Prometheus write a whole number in either way.
        bounds = f"{bound:g}" if bound % 1 else f"{bound:g}|{bound:.1f}"
        name = self.series(metric, "_bucket", more=f',le=~"{bounds}"')
        return f"1 - sum(rate({name}[{window}])) / sum({self.rate(metric, window, '_count')})"

    def error_ratio(self, window: str) -> str:
        """Share of requests that ended in an error; 0 before the first one, none without requests."""
        errors = f"(sum({self.rate('picker-errors', window)}) or vector(0))"
        return f"{errors} / sum({self.rate('picker-requests', window)})"
