"""The environment of `exec` and `env`, with its shell lines as a method, as the port wants it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlxlock.workspace import environment


@dataclass(frozen=True, slots=True, kw_only=True)
class RealOverlay:
    """A `ports.Overlay`."""

    inner: environment.Overlay

    @property
    def variables(self) -> Mapping[str, str]:
        """To set."""
        return self.inner.variables

    @property
    def unset(self) -> tuple[str, ...]:
        """To remove."""
        return self.inner.unset

    @property
    def directories(self) -> tuple[Path, ...]:
        """Which directories must exist first."""
        return self.inner.directories

    @property
    def derived(self) -> tuple[str, ...]:
        """Which variables name a place for what need not last."""
        return self.inner.derived

    def over(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The environment that results."""
        return self.inner.over(inherited)

    def as_shell(self, shell: Literal["sh", "fish"]) -> str:
        """Lines for a running shell."""
        return environment.as_shell(self.inner, shell)
