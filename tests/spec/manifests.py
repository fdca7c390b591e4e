"""Manifests that several tests of the specification start from."""

from typing import Final

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
