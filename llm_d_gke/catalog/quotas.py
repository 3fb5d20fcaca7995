"""Typed access to quotas.yaml: which quotas of Google Cloud an accelerator, a machine or an address draws on."""

from collections.abc import Mapping

from pydantic import Field

from .errors import CatalogError
from .reading import reader
from .schema import Entry, Source


class Quota(Entry):
    """One quota. `metric` is None where only the Cloud Quotas API has it: its usage is then unknown."""

    quota: str  # id in the Cloud Quotas API
    metric: str | None = None  # in the list of the region, or of the project
    dimensions: Mapping[str, str] = Field(default_factory=dict)  # beside region or zone
    everywhere: bool = Field(default=False, alias="global")  # one for the project, not one for each region
    zonal: bool = False

    @property
    def title(self) -> str:
        """As a person finds it in the console's list of quotas."""
        dimensions = ", ".join(f"{key}: {value}" for key, value in self.dimensions.items())
        return f"{self.quota} ({dimensions})" if dimensions else self.quota


class AcceleratorQuotas(Entry):
    standard: Quota
    preemptible: Quota | None = None
    sources: tuple[str, ...]


class Quotas(Entry):
    """The whole of quotas.yaml."""

    sources: Mapping[str, Source]
    accelerators: Mapping[str, AcceleratorQuotas]
    all_gpus: Quota
    cpus: Mapping[str, Quota]  # by family of machine types
    all_cpus: Quota
    others: Mapping[str, Quota]

    def of_accelerator(self, name: str) -> AcceleratorQuotas:
        """Quotas of one accelerator. Raises CatalogError if the catalog has no entry."""
        if name not in self.accelerators:
            raise CatalogError(f"quotas.yaml: accelerators: {name}: missing; enter the quotas its nodes draw on")
        return self.accelerators[name]


load_quotas = reader(Quotas, "quotas.yaml")
