"""Patience is finite, follows what the server asks for, and tells the user about it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Event

import pytest

from mlxlock.errors import HubError, HubUnreachableError, RateLimitedError
from mlxlock.hub.retry import Patience, Persistence, StoppedError, TransientError, transient
from tests.hub.support import Heard, Pauses


def persistence(pauses: Pauses, heard: Heard | None = None, stop: Event | None = None) -> Persistence:
    return Persistence(stop=stop or Event(), wait=pauses, on_event=heard or Heard(), jitter=lambda: 1.0)


class Flaky:
    """Fails as it was told to, then works."""

    def __init__(self, *troubles: TransientError) -> None:
        self.troubles = list(troubles)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.troubles:
            raise self.troubles.pop(0)
        return "done"


def busy(asked_s: float | None = None, status: int = 503) -> TransientError:
    return TransientError("`hub` answers 503", status=status, asked_s=asked_s)


def test_pauses_double_until_it_works() -> None:
    pauses = Pauses()
    assert persistence(pauses)(Flaky(busy(), busy(), busy())) == "done"
    assert pauses.seconds == [1.0, 2.0, 4.0]


def test_five_failures_in_a_row_are_enough() -> None:
    attempt = Flaky(*[busy()] * 9)
    with pytest.raises(HubError, match="503") as caught:
        persistence(Pauses())(attempt)
    assert attempt.calls == 5
    assert type(caught.value) is HubError


def test_progress_starts_the_count_anew() -> None:
    cut = TransientError("cut", progressed=True)
    attempt = Flaky(*[cut] * 20)
    assert persistence(Pauses())(attempt) == "done"


def test_without_a_connection_patience_is_shorter() -> None:
    attempt = Flaky(*[TransientError("no connection", kind="connect")] * 9)
    with pytest.raises(HubUnreachableError):
        persistence(Pauses())(attempt)
    assert attempt.calls == 3


def test_what_the_server_asks_for_is_waited_and_told() -> None:
    pauses, heard = Pauses(), Heard()
    assert persistence(pauses, heard)(Flaky(busy(asked_s=55, status=429))) == "done"
    assert pauses.seconds == [57.0]
    assert heard.notes == ["`hub` answers 503; trying again in 57 s"]


def test_more_than_five_minutes_are_not_waited() -> None:
    pauses = Pauses()
    with pytest.raises(RateLimitedError) as caught:
        persistence(pauses)(Flaky(busy(asked_s=301, status=429)))
    assert pauses.seconds == []
    assert "301 s" in (caught.value.hint or "")


def test_all_pauses_together_are_bounded_too() -> None:
    pauses = Pauses()
    with pytest.raises(RateLimitedError):
        persistence(pauses)(Flaky(*[busy(asked_s=120, status=429)] * 5))
    assert pauses.seconds == [122.0, 122.0]


def test_a_stop_ends_the_pause() -> None:
    stop = Event()
    stop.set()
    with pytest.raises(StoppedError):
        persistence(Pauses(), stop=stop)(Flaky(busy()))


def test_jitter_takes_at_most_half_of_a_pause() -> None:
    patience = Patience()
    pauses = [patience.pause_s(busy(), failures=3, waited_s=0, jitter=jitter) for jitter in (0.0, 0.5, 1.0)]
    assert pauses == [2.0, 3.0, 4.0]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_busy_servers_are_asked_again(status: int) -> None:
    trouble = transient("https://a.org", status, {})
    assert trouble is not None
    assert (trouble.status, trouble.asked_s) == (status, None)


@pytest.mark.parametrize("status", [200, 206, 302, 400, 401, 403, 404, 416, 501])
def test_other_answers_are_final(status: int) -> None:
    assert transient("https://a.org", status, {"Retry-After": "5"}) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"RateLimit": '"api";r=0;t=55'}, 55.0),
        ({"ratelimit": '"resolvers"; r=0; t=7', "Retry-After": "99"}, 7.0),
        ({"RateLimit": '"api";r=12;t=55'}, None),
        ({"RateLimit": '"api";r=12;t=55', "Retry-After": "3"}, 3.0),
        ({"Retry-After": " 120 "}, 120.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": f"Wed, 21 Oct {'9' * 30} 07:28:00 GMT"}, None),
        ({"RateLimit": "garbage"}, None),
    ],
)
def test_the_headers_say_how_long(headers: dict[str, str], expected: float | None) -> None:
    trouble = transient("https://a.org", 429, headers)
    assert trouble is not None
    assert trouble.asked_s == expected


def test_retry_after_may_be_a_date() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=100)
    trouble = transient("https://a.org", 503, {"Retry-After": format_datetime(moment, usegmt=True)})
    assert trouble is not None
    assert trouble.asked_s == pytest.approx(100, abs=50)
    past = transient("https://a.org", 503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
    assert past is not None
    assert past.asked_s == 0
