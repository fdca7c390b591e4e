"""An interpreter that notes how it was called instead of running a model: argv, environment, job, cwd.

Owns the fake; it is the real Python for everything but the runners, so that `probe.py` works.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCRIPT = """#!{python}
import json, os, sys
if not sys.argv[1:] or not sys.argv[1].endswith(("generate.py", "chat.py", "convert.py")):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
job = json.load(open(sys.argv[2]))
told = dict(argv=sys.argv, env=dict(os.environ), job=job, cwd=os.getcwd(),
            files={{name: os.path.isdir(path) for name, path in os.environ.items() if path.startswith("/")}})
with open({log!r}, "a") as log:
    log.write(json.dumps(told) + "\\n")
answer = json.load(open({answer!r}))
if job.get("stream"):
    print(answer["output"]["text"])
if "wav" in job:
    open(job["wav"], "wb").write(b"RIFF sound")
json.dump(answer, open(job["output"], "w"))
sys.stderr.write("noise of a library\\n")
sys.exit(answer["exit"])
"""


@dataclass(frozen=True, slots=True)
class RecordingPython:
    """A virtual environment whose Python notes its calls.

    Attributes:
        home: What `VIRTUAL_ENV` must be.
    """

    home: Path

    @classmethod
    def make(cls, home: Path) -> "RecordingPython":
        """Write it."""
        python = home / "bin" / "python"
        python.parent.mkdir(parents=True)
        made = cls(home)
        answer, log = str(home / "answer.json"), str(home / "log")
        python.write_text(_SCRIPT.format(python=sys.executable, log=log, answer=answer))
        python.chmod(0o755)
        made.answer()
        return made

    def answer(self, exit_code: int = 0, **told: object) -> None:
        """Decide what the next calls answer."""
        output = {"text": "an answer", "tokens": 2, "samples": None}
        answer = {"ok": exit_code == 0, "output": output, "exit": exit_code, **told}
        (self.home / "answer.json").write_text(json.dumps(answer))

    def calls(self) -> list[dict[str, Any]]:
        """Every call so far."""
        log = self.home / "log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
