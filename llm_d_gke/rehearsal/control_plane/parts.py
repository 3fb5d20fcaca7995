"""The five programs of a control plane: their command lines and the files that they read, from parts.yaml."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.paths import StackPaths

HOST: Final = "127.0.0.1"
STAGES: Final = Path(__file__).resolve().parent / "kwok_stages.yaml"

# The names are those of processes and of binaries.
ETCD: Final = "etcd"
API_SERVER: Final = "kube-apiserver"
CONTROLLERS: Final = "kube-controller-manager"
_DEFINITIONS: Final[Mapping[str, Mapping[str, Any]]] = read_yaml(Path(__file__).with_name("parts.yaml"))
PARTS: Final = tuple(_DEFINITIONS)

# The versions that Kubernetes 1.36 can emulate.
OLDEST_MINOR: Final = 33
NEWEST_MINOR: Final = 36

ADMIN: Final = "admin"

# Seconds between two looks of the HorizontalPodAutoscaler's controller at its metrics. On GKE 15.
AUTOSCALER_SECONDS: Final = 2


def credential_file(paths: StackPaths) -> Path:
    """The administrator's certificate as an answer of a kubeconfig's credential plugin."""
    return paths.cluster.absolute() / "credential.json"


_USERS: Final = (ADMIN, *(part["user"] for part in _DEFINITIONS.values() if "user" in part))
CLIENTS: Final = (*_USERS, "apiserver-etcd-client", "apiserver-tunnel-client", "front-proxy-client")


@dataclass(frozen=True)
class Ports:
    """TCP ports on 127.0.0.1, picked once for a stack."""

    api_server: int
    etcd: int
    etcd_peers: int
    # The API server reaches Services through it, like konnectivity on GKE. The daemon listens.
    tunnel: int


@dataclass(frozen=True)
class Layout:
    """The files of one stack's control plane."""

    paths: StackPaths
    ports: Ports
    service_range: str
    minor: str
    """The Kubernetes version whose APIs and features are offered: `1.34`."""
    binaries: Mapping[str, Path]

    @property
    def folder(self) -> Path:
        return self.paths.cluster.absolute()

    @property
    def certificates(self) -> Certificates:
        return Certificates(self.folder / "pki")

    def kubeconfig(self, user: str) -> Path:
        return self.paths.kubeconfig.absolute() if user == ADMIN else self.folder / f"{user}.kubeconfig"

    def write_files(self) -> None:
        """Write the kubeconfigs, the credential, and the files of the parts. The content is always the same."""
        for user in _USERS:
            atomic_write(self.kubeconfig(user), yaml.safe_dump(self._kubeconfig(user), sort_keys=False))
        atomic_write(credential_file(self.paths), json.dumps(self._credential()))
        for part, definition in _DEFINITIONS.items():
            if "file" in definition:
                content = _filled(definition["file"], self._values(part))
                self._file(part).write_text(yaml.safe_dump(content, sort_keys=False))

    def command(self, part: str) -> list[str]:
        flags = _filled(_DEFINITIONS[part]["flags"], self._values(part))
        return [str(self.binaries[part]), *(f"--{key}={value}" for key, value in flags.items())]

    def _file(self, part: str) -> Path:
        return self.folder / f"{part}.yaml"

    def _values(self, part: str) -> dict[str, object]:
        """What stands for the braces of parts.yaml."""
        return {
            "host": HOST,
            "folder": self.folder,
            "pki": self.certificates.folder,
            "file": self._file(part),
            "kubeconfig": self.kubeconfig(_DEFINITIONS[part].get("user", ADMIN)),
            "stages": STAGES,
            "ports": self.ports,
            "etcd": f"https://{HOST}:{self.ports.etcd}",
            "peers": f"https://{HOST}:{self.ports.etcd_peers}",
            "service_range": self.service_range,
            "minor": self.minor,
            "autoscaler_seconds": AUTOSCALER_SECONDS,
        }

    def _kubeconfig(self, user: str) -> dict[str, object]:
        pki = self.certificates
        name = f"rehearsal-{self.paths.stack}"
        cluster = {"server": f"https://{HOST}:{self.ports.api_server}", "certificate-authority": str(pki.ca)}
        credentials = {"client-certificate": str(pki.client(user)), "client-key": str(pki.client_key(user))}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": user, "user": credentials}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            "current-context": name,
        }

    def _credential(self) -> dict[str, object]:
        pki = self.certificates
        status = {
            "clientCertificateData": pki.client(ADMIN).read_text(),
            "clientKeyData": pki.client_key(ADMIN).read_text(),
        }
        return {"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": status}


def _filled(tree: Any, values: Mapping[str, object]) -> Any:
    """A tree with the texts in it formatted."""
    if isinstance(tree, dict):
        return {key: _filled(item, values) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_filled(item, values) for item in tree]
    return tree.format_map(values) if isinstance(tree, str) else tree
