"""README and SECURITY.md lead where ADR-022 leads, and name no command that is none."""

import re
from typing import Final

import pytest

from mlxlock.cli.verbs import VERBS
from tests.commands.site import ROOT

README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
SECURITY: Final = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [README, SECURITY], ids=["README", "SECURITY"])
def test_every_command_that_a_document_names_is_one(text: str) -> None:
    named = set(re.findall(r"`mlxk ([a-z]+)", text)) - {"help"}
    assert named - set(VERBS) == set()


def test_the_readme_leads_with_lock_and_clone_and_has_pull_for_caching() -> None:
    assert README.index("mlxk lock") < README.index("mlxk clone") < README.index("mlxk pull")
    assert "`mlxk pull org/name` for the cache" in README
    assert "into the Hugging Face cache, for caching" in README
    assert "| you did | now |" in README.partition("## Coming from elsewhere")[2]


def test_the_readme_explains_the_command_that_two_packages_install() -> None:
    told = README.partition("## The name `mlxk`")[2].partition("\n## ")[0]
    assert "mlx-knife" in told
    assert "`mlxlock`" in told


def test_security_says_what_is_ours_what_is_upstreams_and_what_nobody_can_guarantee() -> None:
    flat = " ".join(SECURITY.split())
    ours, _, rest = flat.partition("**The libraries**")
    upstream, _, offline = rest.partition("**For offline and air-gapped machines**")
    guarantees, _, nobody = offline.partition("**What nobody can guarantee**")
    assert "in these commands only" in ours
    assert "(mlx-lm, mlx-vlm, mlx-audio, transformers) are outside our control" in upstream
    for word in (
        "isolated from each other",
        "visible in `.hf_cache/`",
        "needed is local",
        "archived and moved",
    ):
        assert word in guarantees.partition("**What this guarantees**")[2], word
    for word in (
        "do not attempt to reach the network",
        "all that *other* runs need",
        "behaviour stays the same",
    ):
        assert word in nobody, word


def test_security_says_who_sees_a_token() -> None:
    flat = " ".join(SECURITY.split())
    assert "none reaches the child of a first run, a proof or `run`" in flat
    assert "`exec` and `env` are your own environment, with what it holds" in flat
