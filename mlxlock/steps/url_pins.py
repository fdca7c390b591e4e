"""What each URL gives, for the whole of one lock: as it is locked, else what the first run that asked got.

A step of `lock`, as `pinning` is for revisions. One URL is one file: two models that ask for it must get the
same bytes, or a workspace with both could not be rebuilt.
"""

from collections.abc import Iterable

from mlxlock.spec.effects import Download, Effects
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.urls import Url


class UrlPins:
    """Files by URL.

    Args:
        models: Entries whose downloads keep what they are.
    """

    def __init__(self, models: Iterable[LockedModel] = ()) -> None:
        self._pins: dict[Url, Download] = {}
        for model in models:
            self.learn(model.effects)

    def learn(self, effects: Effects) -> None:
        """Let later runs get what an earlier one got."""
        for download in effects.downloads:
            self._pins.setdefault(download.url, download)

    def get(self, url: Url) -> Download | None:
        """What the URL has to give; None when nobody asked for it yet."""
        return self._pins.get(url)
