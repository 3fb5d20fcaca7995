"""Keys and certificates of one simulated control plane, created once and kept beside its data."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from llm_d_gke.rehearsal.host.files import atomic_write

# Local stacks do not run for longer than a year.
_LIFETIME = timedelta(days=365)
_HOSTS = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True)
class Certificates:
    """Paths of all files below one folder; `<user>.crt` and `<user>.key` for each client."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    def client(self, user: str) -> Path:
        return self.folder / f"{user}.crt"

    def client_key(self, user: str) -> Path:
        return self.folder / f"{user}.key"

    def create(self, clients: Sequence[str], addresses: Sequence[str]) -> None:
        """Write all files unless they exist.

        `clients` are user names, each an administrator; `addresses` are the IP addresses of the serving certificate.
        """
        complete = self.folder / "complete"
        if complete.exists():
            # A cluster of an earlier version of this program lacks the clients that are new.
            if missing := [user for user in clients if not self.client(user).exists()]:
                self._issue(self._authority(), missing)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        authority = trustme.CA(organization_name="rehearsal")
        atomic_write(self.ca, authority.cert_pem.bytes())
        atomic_write(self.client_key("ca"), authority.private_key_pem.bytes())
        expiry = datetime.now(UTC) + _LIFETIME
        # etcd uses its serving certificate as a client certificate too; trustme allows both uses.
        serving = authority.issue_cert(*_HOSTS, *addresses, not_after=expiry)
        self._write("serving", serving)
        self._issue(authority, clients)
        # It signs the tokens of service accounts. Kubernetes reads a key in PEM's traditional form only, which is
        # trustme's.
        self._write("service-account", authority.issue_cert("service-accounts"))
        complete.touch()

    def for_clients(self) -> ssl.SSLContext:
        """TLS of a cluster server; clients need a certificate of this authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.ca))
        context.load_cert_chain(self.client("serving"), self.client_key("serving"))
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def for_host(self, host: str) -> ssl.SSLContext:
        """TLS of a server that stands in for a public host, with a certificate by this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority().issue_cert(host).configure_cert(context)
        return context

    def _authority(self) -> trustme.CA:
        return trustme.CA.from_pem(self.ca.read_bytes(), self.client_key("ca").read_bytes())

    def _issue(self, authority: trustme.CA, clients: Sequence[str]) -> None:
        expiry = datetime.now(UTC) + _LIFETIME
        for user in clients:
            # Members of system:masters need no roles, and this machine has one user.
            # The first name is an alternative name: Go refuses a certificate whose critical extension is empty.
            client = authority.issue_cert(user, common_name=user, organization_name="system:masters", not_after=expiry)
            self._write(user, client)

    def _write(self, name: str, certificate: trustme.LeafCert) -> None:
        atomic_write(self.client(name), certificate.cert_chain_pems[0].bytes())
        atomic_write(self.client_key(name), certificate.private_key_pem.bytes())
