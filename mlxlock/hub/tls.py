"""Whom to trust: the system's own trust store, or exactly what `SSL_CERT_FILE` and `SSL_CERT_DIR` name.

Owns the one TLS context for API calls and downloads. Never turns verification off.
"""

import ssl
from collections.abc import Mapping
from functools import cache

import truststore

from mlxlock.errors import HubUnreachableError, UsageError


def tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """The context that the environment asks for.

    Raises:
        UsageError: It names what holds no certificates.
    """
    return _context(environ.get("SSL_CERT_FILE") or None, environ.get("SSL_CERT_DIR") or None)


@cache
def _context(cafile: str | None, capath: str | None) -> ssl.SSLContext:
    # Kept, because reading a trust store costs more than a request.
    if cafile or capath:
        try:
            return ssl.create_default_context(cafile=cafile, capath=capath)
        except OSError as problem:  # also the parent of SSLError
            name = "SSL_CERT_FILE" if cafile else "SSL_CERT_DIR"
            reason = f"`{name}` is `{cafile or capath}`, which holds no certificates that can be read"
            raise UsageError(reason, hint=f"correct or unset `{name}`") from problem
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def distrusted(problem: BaseException | None) -> bool:
    """Whether the reason behind an exception is a certificate that does not verify."""
    while problem is not None:
        if isinstance(problem, ssl.SSLCertVerificationError):
            return True
        problem = problem.__cause__ or problem.__context__
    return False


def untrusted(shown: str) -> HubUnreachableError:
    """The error for a server whose certificate nobody here trusts."""
    return HubUnreachableError(
        f"the certificate of `{shown}` is not trusted",
        hint="if it has its own authority, name its certificate in `SSL_CERT_FILE`",
    )
