"""The seams between what is decided and what is done: Protocols and the values that cross them.

Fakes are held to the same contract suites as the real adapters (`tests/contracts`). Nothing here acts.
"""

from mlxlock.ports.hub import Edit, Published, Publisher, Source, Wanted
from mlxlock.ports.laboratory import ChildSetting, Interpreter, Laboratory, Overlay
from mlxlock.ports.library import Artifact, CachedFile, HubCache, Installed, Library, LocalModel, Shelf, Where
from mlxlock.ports.mirror import Mirror, Withhold, withhold_nothing
from mlxlock.ports.progress import Advanced, Event, Finished, Note, OnEvent, Started, ignore
from mlxlock.ports.sandbox import Job, Outcome, Sandbox, Service
from mlxlock.ports.store import Blob, BlobStore, Deposit, Intake, IntakeStore, SharedStore
from mlxlock.ports.wired import Ports
from mlxlock.ports.workspace import Building, LinkMode, Workspace, Workspaces

__all__ = [
    "Advanced",
    "Artifact",
    "Blob",
    "BlobStore",
    "Building",
    "CachedFile",
    "ChildSetting",
    "Deposit",
    "Edit",
    "Event",
    "Finished",
    "HubCache",
    "Installed",
    "Intake",
    "IntakeStore",
    "Interpreter",
    "Job",
    "Laboratory",
    "Library",
    "LinkMode",
    "LocalModel",
    "Mirror",
    "Note",
    "OnEvent",
    "Outcome",
    "Overlay",
    "Ports",
    "Published",
    "Publisher",
    "Sandbox",
    "Service",
    "SharedStore",
    "Shelf",
    "Source",
    "Started",
    "Wanted",
    "Where",
    "Withhold",
    "Workspace",
    "Workspaces",
    "ignore",
    "withhold_nothing",
]
