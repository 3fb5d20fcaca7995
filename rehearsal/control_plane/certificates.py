"""The keys and certificates of one rehearsed control plane, made once and kept beside its data."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A rehearsal is thrown away long before; a year leaves room for a forgotten one.
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
    """File names below one folder; `<user>.crt` and `<user>.key` for each client."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def ca_key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def serving(self) -> Path:
        return self.folder / "serving.crt"

    @property
    def serving_key(self) -> Path:
        return self.folder / "serving.key"

    @property
    def service_account_key(self) -> Path:
        """Signs the tokens of service accounts."""
        return self.folder / "service-account.key"

    def client(self, user: str) -> Path:
        return self.folder / f"{user}.crt"

    def client_key(self, user: str) -> Path:
        return self.folder / f"{user}.key"

    def make(self, clients: Sequence[str], addresses: Sequence[str]) -> None:
        """Write all of it, unless it is there.

        `clients` are user names, each an administrator; `addresses` are the IP addresses the certificate is served on.
        """
        complete = self.folder / "complete"
        if complete.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        ca_key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rehearsal-ca")])
        ca = builder(authority, authority, ca_key.public_key(), _LIFETIME)
        ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        ca = ca.add_extension(_usage(signs=True), critical=True)
        ca_certificate = ca.sign(ca_key, hashes.SHA256())
        self._write(self.ca, self.ca_key, ca_certificate, ca_key)

        hosts = [x509.DNSName(host) for host in _HOSTS]
        ips = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        serving_key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rehearsal-control-plane")])
        serving = builder(name, authority, serving_key.public_key(), _LIFETIME)
        serving = serving.add_extension(x509.SubjectAlternativeName([*hosts, *ips]), critical=False)
        # etcd dials its own peer address with the certificate it serves.
        both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        serving = serving.add_extension(both, critical=False)
        serving = serving.add_extension(_identifier(ca_key), critical=False)
        self._write(self.serving, self.serving_key, serving.sign(ca_key, hashes.SHA256()), serving_key)

        for user in clients:
            key = ec.generate_private_key(ec.SECP256R1())
            # system:masters: the parts of the control plane need no roles of their own on a machine of one user.
            subject = x509.Name(
                [
                    x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"),
                    x509.NameAttribute(NameOID.COMMON_NAME, user),
                ]
            )
            client = builder(subject, authority, key.public_key(), _LIFETIME)
            client = client.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            client = client.add_extension(_identifier(ca_key), critical=False)
            self._write(self.client(user), self.client_key(user), client.sign(ca_key, hashes.SHA256()), key)

        _private(self.service_account_key, _pem(ec.generate_private_key(ec.SECP256R1())))
        complete.touch()

    def _write(
        self, file: Path, key_file: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _private(key_file, _pem(key))


def builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    """What every certificate of a rehearsal has; the caller adds what it is for, and signs."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _identifier(ca_key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    # Kubernetes reads a service account key in this form only, not as PKCS 8.
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _private(file: Path, content: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
