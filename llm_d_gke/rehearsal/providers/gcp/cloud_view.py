"""Read access to the state of the simulated Google Cloud."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from llm_d_gke.catalog.schema import region_of
from llm_d_gke.google_types import ADDRESS, CLUSTER, SERVICE, SUBNETWORK
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.store import CloudStore

Record = Mapping[str, Any]


def short_name(reference: object) -> str:
    """The name at the end of a resource path: `projects/p/global/networks/llm-d` and `llm-d` are both `llm-d`."""
    return str(reference or "").rstrip("/").rsplit("/", 1)[-1]


class Cloud:
    """A snapshot of the simulated cloud's resources, and of the services that stayed on after theirs was deleted."""

    def __init__(
        self, block: int, resources: Mapping[str, Mapping[str, Record]], enabled: Collection[str] = ()
    ) -> None:
        self.block = block
        self._resources, self._enabled = resources, enabled

    def records(self, token: str) -> Mapping[str, Record]:
        return self._resources.get(token, {})

    @property
    def cluster(self) -> Record | None:
        return next(iter(self.records(CLUSTER).values()), None)

    @property
    def region(self) -> str:
        return region_of(str((self.cluster or {}).get("location", "")))

    def service_enabled(self, name: str) -> bool:
        requested = {record.get("service") for record in self.records(SERVICE).values()}
        return name in requested or name in self._enabled

    def has_proxy_subnet(self, purpose: str, region: str) -> bool:
        """Whether the cluster's network has an active proxy-only subnet of this purpose in a region."""
        network = short_name((self.cluster or {}).get("network") or "default")
        return any(
            record.get("purpose") == purpose
            and record.get("role", "ACTIVE") == "ACTIVE"
            and short_name(record.get("region")) == region
            and short_name(record.get("network") or "default") == network
            for record in self.records(SUBNETWORK).values()
        )

    def reserved_address(self, name: str) -> str | None:
        """The reserved address of this name in the cluster's region, None when there is none."""
        for record in self.records(ADDRESS).values():
            if record.get("name") == name and short_name(record.get("region")) in ("", self.region):
                return str(record["address"]) if record.get("address") else None
        return None


class CloudReader:
    """Reads the store again only when its file changed."""

    def __init__(self, paths: StackPaths) -> None:
        self._store = CloudStore(paths.cloud)
        self._stamp: tuple[int, int] | None = None
        self._cloud = Cloud(0, {})

    def read(self) -> Cloud:
        try:
            state = self._store.path.stat()
        except FileNotFoundError:
            return Cloud(self._cloud.block, {})
        stamp = (state.st_mtime_ns, state.st_ino)
        if stamp != self._stamp:
            content = self._store.read()
            self._cloud = Cloud(content["block"], content["resources"], content.get("enabled", ()))
            self._stamp = stamp
        return self._cloud
