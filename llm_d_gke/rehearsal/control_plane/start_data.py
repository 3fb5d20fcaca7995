"""What a new cluster's etcd holds once GKE's kinds are installed, kept for the next cluster that begins the same way.

The API server takes seconds of processor time to create these objects, and little to read them. What differs among
clusters is left out: certificates, leases, and the cluster's own namespaces, Services and their addresses.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import ssl
import zlib
from base64 import b64decode, b64encode
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx

from llm_d_gke.rehearsal.control_plane import addons, parts
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.toolchain.targets import cache_of

# Starts of keys. ConfigMaps of a new cluster hold the authorities that the API server trusts.
_OWN: Final = re.compile(
    rb"/registry/(configmaps|events|ipaddresses|leases|masterleases|namespaces/(default|kube-)|peerserverleases|ranges"
    rb"|secrets|servicecidrs|services)"
)
# Objects in one transaction, of which the largest has 50 kB: etcd takes 128 and 1.5 MiB.
_AT_ONCE: Final = 50


def file_of(layout: parts.Layout, features: addons.Features) -> Path:
    """The file for such clusters, beside the built programs. What decides about the data is in its name."""
    programs = [layout.binaries[part] for part in (parts.ETCD, parts.API_SERVER)]
    identity = [layout.minor, layout.service_range, *(f"{file} {file.stat().st_mtime_ns}" for file in programs)]
    folder = Path(__file__).parent
    sources = [*sorted(folder.glob("*.py")), folder / "parts.yaml", *addons.files(features)]
    identity += [hashlib.sha256(file.read_bytes()).hexdigest() for file in sources]
    return cache_of("cluster") / "clusters" / f"{hashlib.sha256(repr(identity).encode()).hexdigest()[:16]}.gz"


def serves(layout: parts.Layout) -> bool:
    """Whether etcd answers."""
    with suppress(httpx.HTTPError), _etcd(layout) as etcd:
        return etcd.get("/health").is_success
    return False


def restore(file: Path, layout: parts.Layout) -> bool:
    """Write the objects into a new etcd. Removes a file that is damaged; False then."""
    try:
        lines = gzip.decompress(file.read_bytes()).splitlines()
        with _etcd(layout) as etcd:
            for transaction in lines:
                etcd.post("/v3/kv/txn", content=transaction).raise_for_status()
    except (OSError, EOFError, zlib.error, httpx.HTTPError):
        with suppress(OSError):
            file.unlink()
        return False
    return True


def save(file: Path, layout: parts.Layout) -> None:
    """Write the file, if possible."""
    everything = {"key": b64encode(b"/registry/").decode(), "range_end": b64encode(b"/registry0").decode()}
    with suppress(OSError, httpx.HTTPError), _etcd(layout) as etcd:
        pairs = etcd.post("/v3/kv/range", json=everything).raise_for_status().json()["kvs"]
        puts = [
            {"requestPut": {"key": pair["key"], "value": pair["value"]}}
            for pair in pairs
            if not _OWN.match(b64decode(pair["key"]))
        ]
        batches = [puts[first : first + _AT_ONCE] for first in range(0, len(puts), _AT_ONCE)]
        lines = "\n".join(json.dumps({"success": batch}) for batch in batches)
        atomic_write(file, gzip.compress(lines.encode()))


def _etcd(layout: parts.Layout) -> httpx.Client:
    pki, user = layout.certificates, "apiserver-etcd-client"
    context = ssl.create_default_context(cafile=str(pki.ca))
    context.load_cert_chain(pki.client(user), pki.client_key(user))
    url = f"https://{parts.HOST}:{layout.ports.etcd}"
    return httpx.Client(base_url=url, verify=context, trust_env=False, timeout=30.0)
