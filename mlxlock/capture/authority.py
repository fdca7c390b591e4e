"""A certificate authority for one run of a sandboxed child: made for it, trusted by it alone, gone after it.

Owns keys and certificates. The keys are in memory; a server's is on the disk only for the moment in which
OpenSSL reads it, readable by its owner alone.
"""

import ipaddress
import ssl
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_BEFORE: Final = timedelta(hours=1)
_AFTER: Final = timedelta(days=2)
_MAX_COMMON_NAME: Final = 64
_SIGNS_CERTIFICATES: Final = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """Vouches for any host, to those who trust `certificate`."""

    def __init__(self) -> None:
        self._key = generate_private_key(SECP256R1())
        self._server_key = generate_private_key(SECP256R1())
        self._now = datetime.now(UTC)
        self._name = _named("mlxlock, for one first run")
        own = self._builder(self._name, self._key.public_key())
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        own = own.add_extension(_SIGNS_CERTIFICATES, critical=True)
        self._own = own.sign(self._key, SHA256())
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    @property
    def certificate(self) -> bytes:
        """PEM, for `SSL_CERT_FILE` and its like."""
        return self._own.public_bytes(Encoding.PEM)

    def context(self, host: str) -> ssl.SSLContext:
        """What a server needs to be taken for this host.

        Args:
            host: A name or an IP address, as the client spells it.

        Raises:
            ValueError: No certificate can name it.
        """
        with self._lock:
            if host not in self._contexts:
                self._contexts[host] = self._new_context(host)
            return self._contexts[host]

    def _new_context(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        key = self._server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with tempfile.NamedTemporaryFile(prefix="mlxlock-", suffix=".pem") as file:
            file.write(key + self._issue(host).public_bytes(Encoding.PEM))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def _issue(self, host: str) -> x509.Certificate:
        builder = self._builder(_named(host[:_MAX_COMMON_NAME]), self._server_key.public_key())
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(purpose, critical=False).add_extension(issuer, critical=False)
        return builder.sign(self._key, SHA256())

    def _builder(self, subject: x509.Name, key: EllipticCurvePublicKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(self._now - _BEFORE).not_valid_after(self._now + _AFTER)
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
