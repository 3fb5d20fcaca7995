"""The five programs of a control plane: their command lines and the files that they read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.paths import StackPaths

HOST: Final = "127.0.0.1"
STAGES: Final = Path(__file__).resolve().parent / "kwok_stages.yaml"

# In start order. The names are those of processes and of binaries.
ETCD: Final = "etcd"
API_SERVER: Final = "kube-apiserver"
CONTROLLERS: Final = "kube-controller-manager"
SCHEDULER: Final = "kube-scheduler"
KWOK: Final = "kwok"
PARTS: Final = (ETCD, API_SERVER, SCHEDULER, KWOK, CONTROLLERS)

# The versions that Kubernetes 1.36 can emulate.
OLDEST_MINOR: Final = 33
NEWEST_MINOR: Final = 36

ADMIN: Final = "admin"

# Seconds between two looks of the HorizontalPodAutoscaler's controller at its metrics. On GKE 15.
AUTOSCALER_SECONDS: Final = 2


def credential_file(paths: StackPaths) -> Path:
    """The administrator's certificate as an answer of a kubeconfig's credential plugin."""
    return paths.cluster.absolute() / "credential.json"


_USERS: Final = {CONTROLLERS: "controller-manager", SCHEDULER: "scheduler", KWOK: "kwok"}
# The API server is etcd's only client.
_ETCD_CLIENT: Final = "apiserver-etcd-client"
_TUNNEL_CLIENT: Final = "apiserver-tunnel-client"
_AGGREGATOR: Final = "front-proxy-client"
_SCHEDULER_FILE, _EGRESS_FILE = "scheduler.yaml", "egress.yaml"
CLIENTS: Final = (ADMIN, *_USERS.values(), _ETCD_CLIENT, _TUNNEL_CLIENT, _AGGREGATOR)


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

    @property
    def server(self) -> str:
        return f"https://{HOST}:{self.ports.api_server}"

    def kubeconfig(self, user: str) -> Path:
        return self.paths.kubeconfig.absolute() if user == ADMIN else self.folder / f"{user}.kubeconfig"

    def write_files(self) -> None:
        """Write the kubeconfigs, the credential, and the configurations of scheduler and egress.

        The content is always the same.
        """
        for user in (ADMIN, *_USERS.values()):
            atomic_write(self.kubeconfig(user), yaml.safe_dump(self._kubeconfig(user), sort_keys=False))
        atomic_write(credential_file(self.paths), json.dumps(self._credential()))
        scheduler = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "clientConnection": {"kubeconfig": str(self.kubeconfig(_USERS[SCHEDULER]))},
            "leaderElection": {"leaderElect": False},
            # Short back-offs, so that a pod gets its new node within a second.
            "podInitialBackoffSeconds": 1,
            "podMaxBackoffSeconds": 2,
        }
        (self.folder / _SCHEDULER_FILE).write_text(yaml.safe_dump(scheduler, sort_keys=False))
        pki = self.certificates
        # The API server 1.36 rejects this configuration without TLS.
        identity = {
            "caBundle": str(pki.ca),
            "clientCert": str(pki.client(_TUNNEL_CLIENT)),
            "clientKey": str(pki.client_key(_TUNNEL_CLIENT)),
        }
        tunnel = {"tcp": {"url": f"https://{HOST}:{self.ports.tunnel}", "tlsConfig": identity}}
        egress = {
            "apiVersion": "apiserver.k8s.io/v1beta1",
            "kind": "EgressSelectorConfiguration",
            "egressSelections": [
                {"name": "cluster", "connection": {"proxyProtocol": "HTTPConnect", "transport": tunnel}}
            ],
        }
        (self.folder / _EGRESS_FILE).write_text(yaml.safe_dump(egress, sort_keys=False))

    def _kubeconfig(self, user: str) -> dict[str, object]:
        pki = self.certificates
        name = f"rehearsal-{self.paths.stack}"
        cluster = {"server": self.server, "certificate-authority": str(pki.ca)}
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

    def command(self, part: str) -> list[str]:
        builders = {
            ETCD: self._etcd,
            API_SERVER: self._api_server,
            CONTROLLERS: self._controllers,
            SCHEDULER: self._scheduler,
            KWOK: self._kwok,
        }
        return [str(self.binaries[part]), *(f"--{key}={value}" for key, value in builders[part]().items())]

    def _etcd(self) -> dict[str, object]:
        pki, url = self.certificates, f"https://{HOST}:{self.ports.etcd}"
        peers = f"https://{HOST}:{self.ports.etcd_peers}"
        return {
            "name": "rehearsal",
            "data-dir": self.folder / "etcd",
            "listen-client-urls": url,
            "advertise-client-urls": url,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"rehearsal={peers}",
            # Other users of this machine can reach 127.0.0.1, and etcd holds the stack's secrets.
            "client-cert-auth": "true",
            "trusted-ca-file": pki.ca,
            "cert-file": pki.serving,
            "key-file": pki.serving_key,
            "peer-client-cert-auth": "true",
            "peer-trusted-ca-file": pki.ca,
            "peer-cert-file": pki.serving,
            "peer-key-file": pki.serving_key,
            # Only a power failure can lose data, and a local stack can be created again.
            "unsafe-no-fsync": "true",
            "log-level": "warn",
        }

    def _api_server(self) -> dict[str, object]:
        pki = self.certificates
        return {
            "bind-address": HOST,
            "secure-port": self.ports.api_server,
            # By default the server looks for the address of the default route, and does not start without one.
            # A loopback address cannot be an endpoint of the `kubernetes` Service.
            "advertise-address": HOST,
            "endpoint-reconciler-type": "none",
            "etcd-servers": f"https://{HOST}:{self.ports.etcd}",
            "etcd-cafile": pki.ca,
            "etcd-certfile": pki.client(_ETCD_CLIENT),
            "etcd-keyfile": pki.client_key(_ETCD_CLIENT),
            "client-ca-file": pki.ca,
            "tls-cert-file": pki.serving,
            "tls-private-key-file": pki.serving_key,
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": pki.service_account_key,
            "service-account-signing-key-file": pki.service_account_key,
            "service-cluster-ip-range": self.service_range,
            "egress-selector-config-file": self.folder / _EGRESS_FILE,
            # Without it kubelets get anonymous requests.
            "kubelet-client-certificate": pki.client(_TUNNEL_CLIENT),
            "kubelet-client-key": pki.client_key(_TUNNEL_CLIENT),
            # How it names a user to an aggregated API, such as the external metrics of KEDA.
            "proxy-client-cert-file": pki.client(_AGGREGATOR),
            "proxy-client-key-file": pki.client_key(_AGGREGATOR),
            "requestheader-client-ca-file": pki.ca,
            "requestheader-allowed-names": _AGGREGATOR,
            "requestheader-username-headers": "X-Remote-User",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "authorization-mode": "Node,RBAC",
            # PodSecurity, and the rest of the default set, are on anyway.
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": "true",
            "profiling": "false",
            "emulated-version": self.minor,
            # Fair queuing costs a second of start-up, and this cluster has one user.
            "enable-priority-and-fairness": "false",
        }

    def _controllers(self) -> dict[str, object]:
        pki = self.certificates
        return {
            "kubeconfig": self.kubeconfig(_USERS[CONTROLLERS]),
            "leader-elect": "false",
            "bind-address": HOST,
            "secure-port": 0,
            "root-ca-file": pki.ca,
            "service-account-private-key-file": pki.service_account_key,
            "cluster-signing-cert-file": pki.ca,
            "cluster-signing-key-file": pki.ca_key,
            "service-cluster-ip-range": self.service_range,
            "horizontal-pod-autoscaler-sync-period": f"{AUTOSCALER_SECONDS}s",
            "node-monitor-period": "1s",  # how soon a new node loses its not-ready taints
            "kube-api-qps": 200,
            "kube-api-burst": 400,
            "profiling": "false",
            "emulated-version": self.minor,
        }

    def _scheduler(self) -> dict[str, object]:
        return {
            "config": self.folder / _SCHEDULER_FILE,
            "bind-address": HOST,
            "secure-port": 0,
            "emulated-version": self.minor,
        }

    def _kwok(self) -> dict[str, object]:
        return {
            "kubeconfig": self.kubeconfig(_USERS[KWOK]),
            "config": STAGES,
            "manage-all-nodes": "true",
            # Without leases the node lifecycle controller calls a node lost after 50 s.
            "node-lease-duration-seconds": 40,
        }
