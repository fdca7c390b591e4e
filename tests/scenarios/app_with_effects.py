"""A project's own program that brings what it needs when it runs, by the ways that real libraries have.

pip for a package that ships data (misaki and spaCy do), NLTK's and tiktoken's own downloaders, curl, files of
the Hub copied below a random name into `~/.cache`, an archive of the Hub unpacked there, and a mark that it
is done. Run again without a network, it takes what is there.
"""

import hashlib
import importlib
import json
import shutil
import subprocess
import sys
import uuid
import zipfile
from pathlib import Path

HOME = Path.home() / ".cache" / "voices"
WHEEL = "https://git.example/releases/tiny_voice-1.0-py3-none-any.whl"
RANKS = "https://ranks.example/encodings/toy.tiktoken"
TABLE = "https://files.example/table.bin?raw=true"


def package() -> str:
    try:
        import tiny_voice
    except ImportError:
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", WHEEL], check=True)
        importlib.invalidate_caches()
        import tiny_voice
    return str(tiny_voice.word())


def corpus() -> str:
    import nltk

    try:
        nltk.data.find("corpora/toywords")
    except LookupError:
        nltk.download("toywords", quiet=True, raise_on_error=True)
    return str(nltk.data.find("corpora/toywords/en").open().read().decode())


def ranks() -> str:
    from tiktoken.load import load_tiktoken_bpe

    return str(len(load_tiktoken_bpe(RANKS)))


def table() -> str:
    place = HOME / "table.bin"
    if not place.exists():
        subprocess.run(["curl", "-sfL", "-o", str(place), TABLE], check=True)
    return hashlib.sha256(place.read_bytes()).hexdigest()


def voices() -> str:
    from huggingface_hub import hf_hub_download

    voice = hf_hub_download("org/voices", "a.json")
    shutil.copyfile(voice, HOME / f"{uuid.uuid4()}.json")
    if not (HOME / "unpacked").exists():
        with zipfile.ZipFile(hf_hub_download("org/voices", "more.zip")) as archive:
            archive.extractall(HOME / "unpacked")
    (HOME / "done").touch()
    return str(json.loads((HOME / "unpacked" / "b.json").read_text()))


def main() -> None:
    HOME.mkdir(parents=True, exist_ok=True)
    for part in sys.argv[1:] or ["package", "corpus", "ranks", "table", "voices"]:
        print(part, globals()[part]())


if __name__ == "__main__":
    main()
