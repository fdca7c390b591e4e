"""A Hugging Face Hub on loopback, for tests.

Speaks the Hub's read protocol as unmodified clients expect it (`test_clients_*.py` hold it against
huggingface_hub 1.33 and 2) and goes wrong on request. Shares no code with mlxlock.
"""

from tests.testhub.content import Content, Pattern
from tests.testhub.faults import (
    Corrupt,
    Drop,
    Expired,
    Fault,
    Hang,
    Held,
    MoveRef,
    NoRange,
    Short,
    Slow,
    Status,
    Truncate,
    WrongEtag,
)
from tests.testhub.hub import LoopbackHub
from tests.testhub.messages import Request
from tests.testhub.repos import Commit, File, Repo, lfs, plain
from tests.testhub.state import SLOPPY, Manners

__all__ = [
    "SLOPPY",
    "Commit",
    "Content",
    "Corrupt",
    "Drop",
    "Expired",
    "Fault",
    "File",
    "Hang",
    "Held",
    "LoopbackHub",
    "Manners",
    "MoveRef",
    "NoRange",
    "Pattern",
    "Repo",
    "Request",
    "Short",
    "Slow",
    "Status",
    "Truncate",
    "WrongEtag",
    "lfs",
    "plain",
]
