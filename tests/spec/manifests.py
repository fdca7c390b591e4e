"""Manifests that several tests of the specification start from."""

from collections.abc import Mapping
from typing import Final

from hypothesis import strategies as st

EXAMPLE: Final = """
[workspace]
path = "models"                       # what `mlxk sync` builds; default "models"

[models.chat]
repo = "mlx-community/Qwen3-4B-Instruct-2507-4bit"      # revision defaults to "main"

[models.vision]
repo = "mlx-community/Qwen2.5-VL-7B-Instruct-4bit"
revision = "v1.2"                     # branch, tag, refs/pr/N or commit;  or: version = ">=1.0,<2"
exclude = ["*.md"]                    # include / exclude: the Hub's own glob rules (`*` crosses `/`)
groups = ["vlm"]                      # --group, --only-group, --no-group, as in uv
when = "sys_platform == 'darwin'"     # PEP 508 marker (packaging.markers)

[models.asr]
repo = "mlx-community/VibeVoice-ASR-4bit"
kind = "stt"                          # text | vision | stt | tts | ...; detected from config.json when absent
remote-code = "allow"                 # may run code that a repo ships; default: [policy]
accept-denied = ["meta-llama/Llama-3.2-1B-Instruct"]    # what a first run may be refused, and be proven
first-run = [                         # what the sandboxed first run exercises
    { name = "hello", audio = "tests/hello.wav", timeout-s = 600 },
    { name = "app", command = ["python", "app.py", "--selftest"], compare = "none" },
]

[artifacts."Qwen/Qwen2.5-7B"]         # steer what an undeclared download may mean, without patching upstream
revision = "d149729398750b98c0af14eb82c78cfe92750796"

[sandbox]
require = "full"                      # full | partial; default partial
allow-hosts = ["raw.githubusercontent.com"]             # non-Hub hosts the first run may fetch from
python = ".venv/bin/python"           # the interpreter that has mlx-lm / mlx-vlm / mlx-audio

[policy]
licenses = ["apache-2.0", "mit"]      # a missing or other licence is refused by `lock`
formats = ["safetensors"]             # refuse pickle weights
remote-code = "deny"                  # deny | allow
"""
"""The worked example of the format's description: every key once."""

_TEXTS = st.one_of(
    st.sampled_from(
        ["org/name", "t5-base", "main", "v1.2", "refs/pr/3", ">=1.0,<2", "os_name == 'nt'", "*.json"]
    ),
    st.sampled_from(
        ["text", "full", "allow", "safetensors", "output", "hub", "..", "a/b/", "x.org", "Caf\u00e9"]
    ),
    st.text(max_size=8),
)
_RUNS = st.dictionaries(
    st.sampled_from(
        ["name", "command", "prompt", "audio", "vad", "seed", "timeout-s", "memory-mb", "compare", "x"]
    ),
    st.one_of(_TEXTS, st.booleans(), st.integers(-1, 9), st.lists(_TEXTS, max_size=2)),
    max_size=4,
)
_VALUES: Final[Mapping[str, st.SearchStrategy[object]]] = {
    "string": _TEXTS,
    "strings": st.lists(_TEXTS, max_size=2),
    "runs": st.lists(_RUNS, max_size=2) | st.just(value=False),
    "odd": st.one_of(st.booleans(), st.integers(), st.lists(st.integers(), max_size=1)),
}
_KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "[models.a]": {
        **dict.fromkeys(["repo", "revision", "version", "when", "kind", "dir", "remote-code"], "string"),
        **dict.fromkeys(["include", "exclude", "groups", "accept-denied"], "strings"),
        "first-run": "runs",
    },
    "[workspace]": {"path": "string"},
    '[artifacts."a/b"]': {"revision": "string"},
    "[sandbox]": {"require": "string", "allow-hosts": "strings", "python": "string"},
    "[policy]": {"licenses": "strings", "formats": "strings", "remote-code": "string"},
    "": {"x": "odd"},
}


def as_toml(value: object) -> str:
    """A value as TOML writes it, each character escaped."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            scalars = (char for char in value if not 0xD800 <= ord(char) < 0xE000)
            return '"' + "".join(f"\\U{ord(char):08x}" for char in scalars) + '"'
        case list():
            return "[" + ", ".join(map(as_toml, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{key} = {as_toml(each)}" for key, each in value.items()) + "}"
        case _:
            return str(value)


@st.composite
def any_manifest(draw: st.DrawFn) -> str:
    """One table with some of its keys, most of their values of the right type, few of them right."""
    header = draw(st.sampled_from(sorted(_KEYS)))
    lines = [header]
    if header == "[models.a]":
        lines.append('repo = "org/name"')
    for key, kind in _KEYS[header].items():
        if key != "repo" and draw(st.integers(0, 3)) == 0:
            odd = draw(st.integers(0, 9)) == 0
            lines.append(f"{key} = {as_toml(draw(_VALUES['odd' if odd else kind]))}")
    return "\n".join(lines)
