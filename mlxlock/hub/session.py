"""The HTTP client that huggingface_hub gets from us.

Owns what HfApi leaves open: timeouts, whose eyes see the token, and that trouble is reported instead of
slept over in silence. Never knows a repo.

huggingface_hub 1 speaks httpx and 2 speaks httpx2. `huggingface_hub.utils.httpx` is the module that this
installation uses, exported for that very purpose in 1.30 and later; nothing else here depends on its name.
"""

import os
from typing import Any, Final

from huggingface_hub import set_client_factory
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # exported by its module __getattr__

from mlxlock.errors import HubUnreachableError
from mlxlock.hub.endpoint import Endpoint
from mlxlock.hub.retry import TransientError, transient, unsupported_proxy
from mlxlock.hub.tls import distrusted, tls_context, untrusted

CONNECT_S: Final = 10.0
_READ_S: Final = 60.0
_TELEMETRY: Final = "/api/agent-harnesses"


def use(endpoint: Endpoint) -> None:
    """Let every HfApi of this process talk through a client that knows the rules of `endpoint`."""
    set_client_factory(lambda: Client(endpoint))


class Client(httpx.Client):
    """An httpx client that tells trouble from answers.

    Args:
        endpoint: Whose origin gets the token; a redirect or a next page elsewhere does not.

    Raises:
        HubUnreachableError: The environment names a proxy of a kind that needs more than is installed.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._limits = httpx.Timeout(_READ_S, connect=CONNECT_S)
        try:
            super().__init__(follow_redirects=True, verify=tls_context(os.environ))
        except (ImportError, ValueError, httpx.InvalidURL) as problem:
            raise unsupported_proxy(str(problem)) from problem

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request.

        Raises:
            TransientError: It may work the next time.
            HubUnreachableError: It will not: the telemetry that nobody asked for, TLS that does not verify.
        """
        self._prepare(request)
        shown = self._endpoint.url
        try:
            response = super().send(request, **options)
        except httpx.HTTPError as problem:
            raise _trouble(problem, shown) from problem
        trouble = transient(shown, response.status_code, response.headers)
        if trouble is not None:
            raise trouble
        return response

    def _prepare(self, request: httpx.Request) -> None:
        if request.url.path.endswith(_TELEMETRY):
            raise HubUnreachableError("telemetry is off")
        # HfApi gives no timeout for listings.
        request.extensions["timeout"] = self._limits.as_dict()
        # Here and not by HfApi, which hands its headers to whatever host a next page names.
        request.headers.update(self._endpoint.authorization(str(request.url)))


def _trouble(problem: httpx.HTTPError, shown: str) -> TransientError | HubUnreachableError:
    if distrusted(problem):
        return untrusted(shown)
    if isinstance(problem, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return TransientError(f"no connection to `{shown}`", kind="connect")
    if isinstance(problem, httpx.TimeoutException):
        return TransientError(f"`{shown}` does not answer in time")
    return TransientError(f"`{shown}` broke off the answer")
