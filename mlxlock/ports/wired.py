"""Everything that a command may reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlxlock.ports.progress import ignore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from mlxlock.ports.hub import Publisher, Source
    from mlxlock.ports.laboratory import Laboratory, Overlay
    from mlxlock.ports.library import HubCache, Installed, Library
    from mlxlock.ports.outside import Archives, Web
    from mlxlock.ports.progress import OnEvent
    from mlxlock.ports.store import SharedStore
    from mlxlock.ports.workspace import Workspace, Workspaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything a command may reach, wired once by `cli`. What is behind a callable is built when asked for.

    Attributes:
        publisher: The Hub for whoever may write to it.
        source: The Hub, or its refusal under `--offline`.
        store: The user's blobs.
        workspace: Opens a project's workspace, with the chosen link mode.
        laboratory: What first runs need.
        library: The models on this machine.
        workspaces: Makes directories for single models.
        installed: What the interpreter that would run models has.
        hub_cache: The user's Hugging Face cache.
        overlay: What `exec` and `env` change in the user's environment, for a workspace.
        web: URLs beside the Hub, or their refusal under `--offline`.
        archives: Takes files out of what was fetched.
        turn: Holds a project's `models.toml` and `models.lock` against other commands that change them.
        on_event: Where progress goes.
    """

    source: Callable[[], Source]
    store: Callable[[], SharedStore]
    workspace: Callable[[Path], Workspace]
    laboratory: Callable[[], Laboratory]
    library: Callable[[], Library]
    workspaces: Callable[[], Workspaces]
    installed: Callable[[], Installed]
    hub_cache: Callable[[], HubCache]
    publisher: Callable[[], Publisher]
    overlay: Callable[[Path, Mapping[str, str]], Overlay]
    web: Callable[[], Web]
    archives: Callable[[], Archives]
    turn: Callable[[Path], AbstractContextManager[None]]
    on_event: OnEvent = ignore
