"""Builds the ports from the real adapters, each when first asked for. The one place that knows them all."""

import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from mlxlock import __version__
from mlxlock.cli.options import HUB_VARIABLES, Common
from mlxlock.errors import DiskError, ManifestError, UsageError
from mlxlock.ports import (
    HubCache,
    Installed,
    Laboratory,
    Library,
    LinkMode,
    OnEvent,
    Overlay,
    Ports,
    Publisher,
    SharedStore,
    Source,
    Workspace,
    Workspaces,
)
from mlxlock.ports.outside import Archives, Web
from mlxlock.store import default_hf_caches, default_store_dir


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the flags of a verb decide about adapters.

    Attributes:
        link_mode: How files get from the store into the workspace.
        adopt: Whether files of the user's Hugging Face cache are taken.
        sandboxed: False for `--no-sandbox`.
    """

    link_mode: LinkMode = "auto"
    adopt: Literal["copy", "link", "none"] = "copy"
    sandboxed: bool = True


def wire(common: Common, on_event: OnEvent, choices: Choices | None = None, *, project: Path) -> Ports:
    """The ports of one command.

    Args:
        common: The common options.
        on_event: Where progress goes.
        choices: What the verb's own flags decide.
        project: The project's directory.
    """
    chosen = choices or Choices()
    store_dir = default_store_dir(os.environ, sys.platform, user_home())
    store = lru_cache(maxsize=1)(lambda: _store(store_dir, chosen))
    web = lru_cache(maxsize=1)(lambda: _web(common, on_event))

    def workspace(root: Path) -> Workspace:
        from mlxlock.workspace.directory import DirectoryWorkspace
        from mlxlock.workspace.index import index_path

        return DirectoryWorkspace(
            root,
            index_path=index_path(store_dir / "workspaces", root),
            version=__version__,
            link_mode=chosen.link_mode,
            on_event=on_event,
        )

    def laboratory() -> Laboratory:
        from mlxlock.cli.laboratory import RealLaboratory

        return RealLaboratory(
            project=project,
            store_dir=store_dir,
            store=store(),
            web=web,
            sandboxed=chosen.sandboxed,
            on_event=on_event,
        )

    return Ports(
        source=lru_cache(maxsize=1)(lambda: _source(common, on_event)),
        store=store,
        workspace=workspace,
        laboratory=lru_cache(maxsize=1)(laboratory),
        library=lru_cache(maxsize=1)(lambda: _library(store_dir)),
        workspaces=lambda: _workspaces(store_dir, chosen, on_event),
        publisher=lambda: _publisher(common, on_event),
        hub_cache=lambda: _hub_cache(chosen),
        installed=lru_cache(maxsize=1)(lambda: _installed(project)),
        overlay=_overlay,
        web=web,
        archives=_archives,
        turn=lambda root: _turn(root, store_dir, on_event),
        on_event=on_event,
    )


def user_home() -> Path:
    """The user's home.

    Raises:
        DiskError: Nobody knows it.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise DiskError("your home directory is not known", hint="set `MLXK_STORE_DIR`") from error


def _store(store_dir: Path, choices: Choices) -> SharedStore:
    from mlxlock.store import DirectoryStore

    if choices.adopt == "none":
        return DirectoryStore(store_dir)
    caches = default_hf_caches(os.environ, user_home())
    return DirectoryStore(store_dir, adopt_from=caches, adopt_mode=choices.adopt)


def _workspaces(store_dir: Path, choices: Choices, on_event: OnEvent) -> Workspaces:
    from mlxlock.workspace.building import DirectoryWorkspaces

    return DirectoryWorkspaces(
        store_dir / "workspaces", version=__version__, link_mode=choices.link_mode, on_event=on_event
    )


def _publisher(common: Common, on_event: OnEvent) -> Publisher:
    if common.offline:
        raise UsageError("`push` needs the Hub", hint="run it without `--offline`")
    from mlxlock.hub.endpoint import endpoint_from
    from mlxlock.hub.publish import HubPublisher

    return HubPublisher(endpoint_from(os.environ), on_event=on_event)


def _hub_cache(choices: Choices) -> HubCache:
    from mlxlock.workspace.hub_cache import DirectoryHubCache

    (root,) = default_hf_caches(os.environ, user_home())
    return DirectoryHubCache(root, link_mode=choices.link_mode)


def _installed(project: Path) -> Installed:
    from mlxlock.cli.installed import installed
    from mlxlock.steps.project import Project, read_manifest

    here = Project(root=project)
    try:
        declared = read_manifest(here).sandbox.python if here.manifest_path.is_file() else None
    except ManifestError as problem:
        return Installed(problem=problem.reason)
    return installed(declared, project, os.environ)


def _library(store_dir: Path) -> Library:
    from mlxlock.workspace.homes import workspace_roots
    from mlxlock.workspace.library import DirectoryLibrary

    home = user_home()
    return DirectoryLibrary(
        roots=workspace_roots(os.environ, home),
        caches=default_hf_caches(os.environ, home),
        home=home,
        records=store_dir / "workspaces",
    )


def _source(common: Common, on_event: OnEvent) -> Source:
    from mlxlock.hub.offline import OfflineSource

    if common.offline:
        return OfflineSource(common.offline, _cure_of_offline(common.offline))
    from mlxlock.hub.client import HubSource
    from mlxlock.hub.endpoint import endpoint_from

    return HubSource(endpoint_from(os.environ), jobs=common.jobs, on_event=on_event)


def _web(common: Common, on_event: OnEvent) -> Web:
    from mlxlock.hub.offline import OfflineWeb

    if common.offline:
        return OfflineWeb(common.offline, _cure_of_offline(common.offline))
    from mlxlock.hub.web import HttpWeb

    return HttpWeb(on_event=on_event)


def _cure_of_offline(why: str) -> str | None:
    """What to do where `mlxk env` or `mlxk exec` asked for offline, not the user."""
    if why not in HUB_VARIABLES or not os.environ.get("MLXK_ENV"):
        return None
    return (
        f"`mlxk env` or `mlxk exec` set it (`MLXK_ENV={os.environ['MLXK_ENV']}`): run this in another shell, "
        f"or `unset {' '.join(HUB_VARIABLES)}` first"
    )


def _archives() -> Archives:
    from mlxlock.capture.archives import PackedFiles

    return PackedFiles()


def _turn(root: Path, store_dir: Path, on_event: OnEvent) -> AbstractContextManager[None]:
    from mlxlock.workspace.turn import taking_turns

    return taking_turns(root, records=store_dir / "workspaces", on_event=on_event)


def _overlay(root: Path, inherited: Mapping[str, str]) -> Overlay:
    from mlxlock.cli.overlay import RealOverlay
    from mlxlock.workspace.environment import overlay

    return RealOverlay(inner=overlay(root, inherited))
