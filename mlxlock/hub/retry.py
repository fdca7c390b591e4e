"""How long to be patient with a Hub that stumbles.

Owns which answers are worth another try, how long to wait and when it is enough. Never sends a request: the
caller brings the attempt, and the way in which time passes.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event
from typing import Final, Literal, TypeVar

from mlxlock.errors import HubError, HubUnreachableError, RateLimitedError
from mlxlock.ports import Note, OnEvent

T = TypeVar("T")

Wait = Callable[[Event, float], bool]
"""Waits so many seconds, or until the event is set, and returns whether it is: `Event.wait`."""

_BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})
_RATE_LIMIT: Final = re.compile(r'"[^"]*"\s*;\s*r\s*=\s*(\d+)\s*;\s*t\s*=\s*(\d+)')


class StoppedError(Exception):
    """Somebody else failed, or a person pressed Ctrl-C; nothing is wrong here."""


class TransientError(Exception):
    """Something went wrong that may go right the next time.

    Attributes:
        what: One lower-case sentence, as in an error's reason.
        status: What the server answered, if it answered.
        asked_s: How long the server itself asked to wait, in seconds.
        kind: `connect` when no connection was made at all, `answer` for everything after that.
        progressed: Whether this try got further than all before it.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int | None = None,
        asked_s: float | None = None,
        kind: Literal["connect", "answer"] = "answer",
        progressed: bool = False,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.status = status
        self.asked_s = asked_s
        self.kind = kind
        self.progressed = progressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When to try again, and when to stop trying.

    Attributes:
        tries: Attempts in a row that may fail without any progress.
        connects: The same, where not even a connection was made.
        first_s: Pause after the first failure; doubles from there.
        longest_s: The longest pause that we choose ourselves.
        total_s: All pauses together.
    """

    tries: int = 5
    connects: int = 3
    first_s: float = 1.0
    longest_s: float = 30.0
    total_s: float = 300.0

    def pause_s(
        self, trouble: TransientError, *, failures: int, waited_s: float, jitter: float
    ) -> float | None:
        """Seconds to wait before the next try; None when it is enough.

        Args:
            trouble: What happened last.
            failures: How many tries failed in a row, this one included.
            waited_s: All pauses so far.
            jitter: From 0 to 1, so that many clients do not come back at one moment.
        """
        if failures >= (self.connects if trouble.kind == "connect" else self.tries):
            return None
        own = min(self.first_s * 2 ** (failures - 1), self.longest_s) * (0.5 + jitter / 2)
        # A second more than asked for: servers round down.
        pause = own if trouble.asked_s is None else trouble.asked_s and trouble.asked_s + 1 + jitter
        return pause if waited_s + pause <= self.total_s else None


PATIENCE: Final = Patience()


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """Tries until it works or patience ends.

    Attributes:
        stop: Ends every pause at once.
        wait: How time passes.
        on_event: Hears of every pause.
    """

    stop: Event
    wait: Wait
    on_event: OnEvent
    patience: Patience = PATIENCE
    jitter: Callable[[], float] = random.SystemRandom().random

    def __call__(self, attempt: Callable[[], T]) -> T:
        """Return what `attempt` returns once it does.

        Raises:
            StoppedError: `stop` was set during a pause.
            RateLimitedError: The server asks for more patience than we have.
            HubUnreachableError: It did not answer, or not to the end.
            HubError: It keeps answering with an error.
        """
        failures, waited_s = 0, 0.0
        while True:
            try:
                return attempt()
            except TransientError as trouble:
                failures = 1 if trouble.progressed else failures + 1
                jitter = self.jitter()
                pause = self.patience.pause_s(trouble, failures=failures, waited_s=waited_s, jitter=jitter)
                if pause is None:
                    raise exhausted(trouble) from trouble
                self._pause(pause, trouble)
                waited_s += pause

    def _pause(self, seconds: float, trouble: TransientError) -> None:
        if seconds > 0:
            text = f"{trouble.what}; trying again in {seconds:.0f} s"
            self.on_event(Note(text=text, level="warning" if seconds >= 5 else "detail"))
        if self.wait(self.stop, seconds):
            raise StoppedError


def exhausted(trouble: TransientError) -> HubError:
    """The error for trouble that did not go away."""
    if trouble.status == 429:
        asked = "" if trouble.asked_s is None else f" in {trouble.asked_s:.0f} s"
        return RateLimitedError(
            trouble.what, hint=f"try again{asked or ' later'}; with a token the limits are higher"
        )
    if trouble.status is None:
        return HubUnreachableError(trouble.what, hint="check the network, the proxy and `HF_ENDPOINT`")
    return HubError(trouble.what, hint="the Hub has a problem; try again later")


def unsupported_proxy(why: str) -> HubUnreachableError:
    """The error for a proxy that we cannot speak to."""
    return HubUnreachableError(
        "the proxy of the environment is of a kind that is not supported",
        details=(why,),
        hint="name an http or https proxy in `HTTPS_PROXY`",
    )


def transient(url: str, status: int, headers: Mapping[str, str]) -> TransientError | None:
    """What an answer means when it is worth another try; else None.

    Args:
        url: Who answered, fit to be shown.
        status: The HTTP status.
        headers: Names in any case.
    """
    if status not in _BUSY:
        return None
    lowered = {name.lower(): value for name, value in headers.items()}
    asked_s = _rate_limit_s(lowered) if status == 429 else None
    if asked_s is None:
        asked_s = _retry_after_s(lowered)
    what = f"`{url}` asks for fewer requests" if status == 429 else f"`{url}` answers {status}"
    return TransientError(what, status=status, asked_s=asked_s)


def _rate_limit_s(headers: Mapping[str, str]) -> float | None:
    limit = _RATE_LIMIT.search(headers.get("ratelimit", ""))
    # The header comes with every answer; only an empty quota is a reason to wait.
    return float(limit[2]) if limit and limit[1] == "0" else None


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    asked = headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        moment = parsedate_to_datetime(asked)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
