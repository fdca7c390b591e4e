"""The environments of child processes (formats.md §6), as pure functions of a workspace and the parent's.

Owns which variable steers which cache to where. Never reads the environment itself, creates no directory,
starts nothing: `directories` says what a caller has to create.

What a first run downloads must be found again by later ones, so such caches live in `.hf_cache`. What is only
derived (copied module code, compiled kernels) lives in scratch: it need not be the same twice.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, assert_never

from mlxlock.planning.layout import CACHE_DIR, HUB_DIR
from mlxlock.ports.outside import Proxy

_LONG_S: Final = "3600"
"""How long a child waits for the mirror, which fetches whole files first and knows better when to stop."""

_INHERITED: Final = (
    "COLORTERM",
    "COLUMNS",
    "CUDA_VISIBLE_DEVICES",
    "DEVELOPER_DIR",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "LINES",
    "NIX_LD",
    "NIX_LD_LIBRARY_PATH",
    "NO_COLOR",
    "PATH",
    "SDKROOT",
    "TERM",
    "TZ",
    "__CF_USER_TEXT_ENCODING",
)
_DEFAULTS: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}

_DOWNLOADS: Final = {
    "HF_HOME": CACHE_DIR,
    "HF_HUB_CACHE": HUB_DIR,
    "HF_ASSETS_CACHE": f"{CACHE_DIR}/assets",
    "MLX_AUDIO_CACHE_DIR": f"{CACHE_DIR}/mlx_audio",
    "MLX_VLM_CACHE_HOME": f"{CACHE_DIR}/mlx_vlm",
    "NLTK_DATA": f"{CACHE_DIR}/nltk_data",
    "PKUSEG_HOME": f"{CACHE_DIR}/pkuseg",
    "TIKTOKEN_CACHE_DIR": f"{CACHE_DIR}/tiktoken",
    "TORCH_HOME": f"{CACHE_DIR}/torch",
}
_STRICT_DOWNLOADS: Final = {
    "HOME": f"{CACHE_DIR}/home",
    "PIP_TARGET": f"{CACHE_DIR}/python",
    "PYTHONPATH": f"{CACHE_DIR}/python",
    "XDG_CACHE_HOME": f"{CACHE_DIR}/xdg",
}
_STRICT_DERIVED: Final = {
    "HF_MODULES_CACHE": "modules",
    "HF_XET_CACHE": "xet",
    "TMPDIR": "tmp",
}
_OVERLAID_DERIVED: Final = {
    "HF_MODULES_CACHE": f"{CACHE_DIR}/modules",
    "HF_XET_CACHE": f"{CACHE_DIR}/xet",
}
_QUIET: Final = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_SHARED_BLOBS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
}
_STRICT_QUIET: Final = {
    **_QUIET,
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_XET": "1",
    "LOGNAME": "mlxlock",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "USER": "mlxlock",
}
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_TRUST: Final = ("CURL_CA_BUNDLE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_OFFLINE: Final = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}

_MISLEADING: Final = (
    "HUGGINGFACE_ASSETS_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "MLXLM_USE_MODELSCOPE",
    "PYTORCH_PRETRAINED_BERT_CACHE",
    "PYTORCH_TRANSFORMERS_CACHE",
    "TRANSFORMERS_CACHE",
)
"""What would send a library elsewhere in spite of `HF_HOME`, or to another hub."""

Shell = Literal["sh", "fish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnvironment:
    """The whole environment of a child process.

    Attributes:
        variables: All that it sees.
        directories: Which of the directories it names have to be created first.
    """

    variables: Mapping[str, str]
    directories: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """What to change in a user's own environment.

    Attributes:
        variables: To set.
        unset: To remove, sorted; never one of `variables`.
        directories: Which of the directories it names have to be created first.
        derived: Those of `variables` that name a place for what need not last.
    """

    variables: Mapping[str, str]
    unset: tuple[str, ...]
    directories: tuple[Path, ...]
    derived: tuple[str, ...]

    def over(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The environment that results from `inherited`."""
        kept = {name: value for name, value in inherited.items() if name not in self.unset}
        return {**kept, **self.variables}


def strict(
    root: Path,
    scratch: Path,
    inherited: Mapping[str, str],
    *,
    endpoint: str | None = None,
    cache: Path | None = None,
    proxy: Proxy | None = None,
) -> ChildEnvironment:
    """The environment of a first run, a proof or `mlxk run`: built up from nothing.

    No token, no proxy and no home of the user's is in it, whatever is inherited.

    Args:
        root: The workspace's directory; made absolute, since a child may start anywhere.
        scratch: A directory for what need not last.
        inherited: The parent's environment, of which only a short list of harmless names passes.
        endpoint: The loopback mirror's address with its secret path; without one the child is offline.
        cache: What stands for the workspace's `.hf_cache`, when that is another directory.
        proxy: The way out for all that is not the Hub. Offline there is none, or libraries would ask it
            instead of their caches.
    """
    lasting = _cached(root.absolute() / CACHE_DIR if cache is None else cache.absolute())
    derived = _below(scratch, _STRICT_DERIVED)
    passed = {name: inherited[name] for name in _INHERITED if inherited.get(name)}
    variables = {
        **_DEFAULTS,
        **passed,
        **_STRICT_QUIET,
        **_texts(lasting | derived),
        "HF_TOKEN_PATH": str(scratch.absolute() / "no-token"),
        **(_OFFLINE if endpoint is None else _online(endpoint)),
        **({} if proxy is None else _proxied(proxy)),
    }
    return ChildEnvironment(variables=variables, directories=_distinct(lasting | derived))


def overlay(root: Path, inherited: Mapping[str, str], *, online: bool = False) -> Overlay:
    """What `exec` and `env` change in a user's environment: where libraries look for models, and no more.

    HOME, TMPDIR, XDG_CACHE_HOME and pip's target stay the user's, since other programs follow them too.
    The login stays where it was: with HF_HOME moved, a new one would be written into the workspace.

    Args:
        root: The workspace's directory; made absolute.
        inherited: The user's environment.
        online: Whether libraries may ask the Hub.
    """
    lasting = _below(root, {**_DOWNLOADS, **_OVERLAID_DERIVED})
    python = root.absolute() / CACHE_DIR / "python"
    variables = {
        **_QUIET,
        **_texts(lasting),
        "MLXK_ENV": str(root.absolute()),
        **_login(inherited),
        "PYTHONPATH": ":".join(filter(None, [inherited.get("PYTHONPATH"), str(python)])),
        **({} if online else _OFFLINE),
    }
    unset = sorted([*_MISLEADING, *(_OFFLINE if online else ())])
    return Overlay(
        variables=variables,
        unset=tuple(unset),
        directories=_distinct(lasting),
        derived=tuple(_OVERLAID_DERIVED),
    )


def as_shell(changes: Overlay, shell: Shell = "sh") -> str:
    """Lines that make `changes` in a running shell: for `eval "$(mlxk env)"`, or `mlxk env ... | source`."""
    names = sorted(changes.variables)
    match shell:
        case "sh":
            sets = [f"export {name}={shlex.quote(changes.variables[name])}" for name in names]
            unsets = [f"unset {name}" for name in changes.unset]
        case "fish":
            sets = [f"set -gx {name} {_fish_quote(changes.variables[name])}" for name in names]
            unsets = [f"set -e {name}" for name in changes.unset]
        case _:
            assert_never(shell)
    return "".join(f"{line};\n" for line in [*sets, *unsets])


def _online(endpoint: str) -> dict[str, str]:
    return {
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DOWNLOAD_TIMEOUT": _LONG_S,
        "HF_HUB_ETAG_TIMEOUT": _LONG_S,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def _proxied(proxy: Proxy) -> dict[str, str]:
    """What makes clients use a proxy and believe in its authority, each by its own variable."""
    certificate = str(proxy.certificate)
    return {
        **dict.fromkeys(_PROXIES, proxy.url),
        **dict.fromkeys(_TRUST, certificate),
        # NLTK refuses proxies otherwise: it fears that they change what it observes.
        "NLTK_ALLOW_PROXIED_URLOPEN": "1",
    }


def _login(inherited: Mapping[str, str]) -> dict[str, str]:
    """Where huggingface_hub would look for the user's token, if HF_HOME were not moved."""
    if inherited.get("HF_TOKEN_PATH"):
        return {}
    home = inherited.get("HOME")
    cache = inherited.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else None)
    hf_home = inherited.get("HF_HOME") or (f"{cache}/huggingface" if cache else None)
    if hf_home is None:
        return {}
    if hf_home.startswith("~/") and home:
        hf_home = home + hf_home[1:]
    return {"HF_TOKEN_PATH": str(Path(hf_home).absolute() / "token")}


def _below(root: Path, places: Mapping[str, str]) -> dict[str, Path]:
    return {name: root.absolute() / place for name, place in places.items()}


def _cached(cache: Path) -> dict[str, Path]:
    places = {**_DOWNLOADS, **_STRICT_DOWNLOADS}
    return {name: cache / place.removeprefix(CACHE_DIR).lstrip("/") for name, place in places.items()}


def _texts(places: Mapping[str, Path]) -> dict[str, str]:
    return {name: str(place) for name, place in places.items()}


def _distinct(places: Mapping[str, Path]) -> tuple[Path, ...]:
    return tuple(sorted(set(places.values())))


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
