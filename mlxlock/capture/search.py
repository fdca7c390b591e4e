"""How a backend's program is looked for: on `PATH`, but never inside the project.

Owns the rule that a checked-out directory cannot bring its own sandbox.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Where backends may look.

    Attributes:
        which: Finds a program's name in a search path (`shutil.which`).
        search_path: The value of `PATH`.
        project: Whatever lies below it is ignored; None when there is no project.
        python: The interpreter that the jobs will use.
    """

    which: Callable[[str, str], str | None]
    search_path: str
    project: Path | None
    python: Path

    def program(self, name: str) -> Path | None:
        """The first program of this name that is not the project's own."""
        for directory in self._directories():
            found = self.which(name, directory)
            if found is not None and not self._is_inside(Path(found)):
                return Path(found)
        return None

    def _directories(self) -> Iterator[str]:
        for directory in self.search_path.split(os.pathsep):
            if Path(directory).is_absolute() and not self._is_inside(Path(directory)):
                yield directory

    def _is_inside(self, path: Path) -> bool:
        if self.project is None:
            return False
        project = self.project.resolve()
        return path.absolute().is_relative_to(self.project.absolute()) or path.resolve().is_relative_to(
            project
        )
