"""What `[policy]` refuses, and that each refusal says how to allow it."""

from dataclasses import replace

import pytest

from mlxlock.errors import PolicyError
from mlxlock.planning.policy import check_policy, check_remote_code, policy_problems, untrusted, withheld
from mlxlock.spec.effects import Copy, Download, Effects, Member, Unpacked
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.manifest_reader import parse_manifest
from mlxlock.spec.names import RepoPath
from mlxlock.spec.urls import Url
from tests.planning.locks import artifact, model, seen


def licensed(license_id: str | None) -> LockedModel:
    made = model()
    return replace(made, snapshot=replace(made.snapshot, license=license_id))


def problems(policy: str, *models: LockedModel) -> tuple[str, ...]:
    return policy_problems(parse_manifest(f"[policy]\n{policy}\n"), models)


def test_without_a_policy_everything_is_fine() -> None:
    pickled = model("chat", "org/chat", seen("a.bin", lfs=True))
    assert problems("", licensed(None), pickled) == ()
    check_policy(parse_manifest(""), [licensed(None), pickled])


def test_a_licence_that_is_not_named_is_refused_with_the_way_to_allow_it() -> None:
    assert problems('licenses = ["mit"]', licensed("mit")) == ()
    assert problems('licenses = ["mit"]', licensed("cc-by-nc-4.0")) == (
        '`chat` has the licence `cc-by-nc-4.0`; add "cc-by-nc-4.0" to `policy.licenses` to allow it',
    )
    assert problems('licenses = ["mit"]', licensed(None)) == (
        '`chat` names no licence; add "unknown" to `policy.licenses` to allow it',
    )
    assert problems('licenses = ["mit", "unknown"]', licensed(None)) == ()


def test_pickled_weights_are_refused_by_their_format() -> None:
    pickled = model("chat", "org/chat", seen("a.bin"), seen("b.safetensors"), seen("c.json"))
    (line,) = problems('formats = ["safetensors"]', pickled)
    assert line == '`chat` has `pickle` weights; add "pickle" to `policy.formats`, or `exclude` them'
    assert problems('formats = ["safetensors"]', model()) == ()


def test_what_a_model_brings_is_held_to_the_same_policy() -> None:
    brought = artifact("org/voc", seen("a.pth"), seen("b.py"))
    trusting = replace(brought, license="other", trusts_remote_code=True)
    plain = replace(artifact("org/plain", seen("v.json")), license="mit")
    chat = replace(licensed("mit"), artifacts=(plain, trusting))
    assert problems('licenses = ["mit"]\nformats = ["safetensors"]', chat) == (
        '`org/voc` (for `chat`) has the licence `other`; add "other" to `policy.licenses` to allow it',
        '`org/voc` (for `chat`) has `pickle` weights; add "pickle" to `policy.formats` to allow it',
        '`chat` executes code of `org/voc`; `remote-code = "allow"` in `[models.chat]` allows it',
    )
    assert problems('remote-code = "allow"', chat) == ()


def fetched(url: str, path: str | None = None, *members: Member) -> Effects:
    digests = seen("x")
    assert digests.sha256 is not None
    assert digests.blake3 is not None
    download = Download(
        url=Url(url),
        size_bytes=1,
        sha256=digests.sha256,
        blake3=digests.blake3,
        path=RepoPath(path) if path else None,
        members=members,
    )
    return Effects(downloads=(download,))


def member(name: str, path: str) -> Member:
    file = seen(path)
    assert file.sha256 is not None
    assert file.blake3 is not None
    return Member(name=name, path=file.path, size_bytes=1, sha256=file.sha256, blake3=file.blake3)


ZIP, BLAKE3 = "https://files.example/a.zip", seen("x").blake3
assert BLAKE3 is not None


@pytest.mark.parametrize(
    ("effects", "what"),
    [
        (fetched("https://files.example/w.pt", "home/.cache/w"), "https://files.example/w.pt"),
        (fetched("https://files.example/w.PT?raw=1"), "https://files.example/w.PT?raw=1"),
        (fetched("https://files.example/w", "home/.cache/w.ckpt"), "https://files.example/w"),
        (fetched(ZIP, None, member("w.pth", "home/w"), member("b.json", "home/b.json")), "home/w"),
        (fetched(ZIP, None, member("w", "home/w.pth")), "home/w.pth"),
        (Effects(unpacked=(Unpacked(archive=BLAKE3, member=member("d/w.pkl", "home/w")),)), "home/w"),
        (Effects(copies=(Copy(path=RepoPath("home/w.bin"), blake3=BLAKE3),)), "home/w.bin"),
        (Effects(writes=(seen("home/w.joblib"),)), "home/w.joblib"),
    ],
)
def test_what_a_first_run_brings_past_the_hub_is_held_to_the_formats(effects: Effects, what: str) -> None:
    brings = replace(model(), effects=effects)
    (line,) = problems('formats = ["safetensors"]', brings)
    assert line.startswith(f"`{what}` (of a first run of `chat`) has `pickle` weights; add ")
    assert problems('formats = ["safetensors", "pickle"]', brings) == ()
    assert problems('licenses = ["unknown"]', brings) == ()


def test_code_that_was_allowed_once_is_refused_when_it_no_longer_is() -> None:
    trusting = replace(model(), trusts_remote_code=True)
    (line,) = problems("", trusting)
    assert line.startswith("`chat` executes code that its repo ships")
    manifest = parse_manifest('[models.chat]\nrepo = "org/chat"\nremote-code = "allow"')
    assert policy_problems(manifest, [trusting]) == ()
    denied = parse_manifest(
        '[policy]\nremote-code = "allow"\n[models.chat]\nrepo = "o/c"\nremote-code = "deny"'
    )
    assert len(policy_problems(denied, [trusting])) == 1


@pytest.mark.parametrize(
    ("policy", "path", "why"),
    [
        ("", "modeling.py", "code is withheld"),
        ("", "lib/fast.SO", "code is withheld"),
        ('remote-code = "allow"', "modeling.py", None),
        ("", "pytorch_model.bin", None),
        ('formats = ["safetensors"]', "pytorch_model.bin", "`pickle` weights are withheld"),
        ('formats = ["safetensors"]', "model.safetensors", None),
        ('formats = ["safetensors"]', "config.json", None),
    ],
)
def test_a_first_run_is_not_given_what_the_policy_forbids(policy: str, path: str, why: str | None) -> None:
    said = withheld(parse_manifest(f"[policy]\n{policy}\n"), "chat", RepoPath(path))
    assert said is None if why is None else (said or "").startswith(why)


def test_who_trusts_nothing_is_given_no_code() -> None:
    assert (untrusted(RepoPath("a/b.py")) or "").startswith("code is withheld")
    assert untrusted(RepoPath("config.json")) is None


def test_all_that_is_refused_is_one_error() -> None:
    with pytest.raises(PolicyError) as caught:
        check_policy(parse_manifest('[policy]\nlicenses = ["mit"]\n'), [licensed("x"), licensed(None)])
    assert len(caught.value.details) == 2
    assert caught.value.hint == "change `[policy]`, or choose another model"


def test_code_that_would_be_executed_is_refused_unless_it_is_allowed() -> None:
    texts = {"config.json": '{"model_file": "mine.py"}'}
    check_remote_code(model(), texts, allowed=True)
    check_remote_code(model(), {"config.json": "{}"}, allowed=False)
    with pytest.raises(PolicyError, match="`chat` would execute code that its repo ships") as caught:
        check_remote_code(model(), texts, kind="text", allowed=False)
    assert "mine.py" in caught.value.details[0]
    assert "`[models.chat]`" in (caught.value.hint or "")
