"""The table: rows of hidden downloads, each with a tiny model that makes the unmodified library take it.

Owns what is claimed of each row. `trial` makes it happen, `test_rows` compares.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from tests.testhub import LoopbackHub, Repo
from tests.tinymodels.pocket import TAG, VOICES_COMMIT

TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
WEIGHTS = ("config.json", "model.safetensors", "model.safetensors.index.json")
NO_SPECIALS = ("added_tokens.json", "chat_template.jinja", "special_tokens_map.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One artifact that the lock must name, and the whole of it.

    Attributes:
        where: The line of the library that asks, below its package.
        repo: As asked.
        files: All of it.
        absent: What is asked for and not there.
        revision: As asked.
        when: While a module was imported, or in which phase of the runner.
        canonical: What the Hub calls the repo by now.
        gated: Whether the Hub wants a token for it.
        code: Whether it is Python that is executed.
    """

    where: str
    repo: str
    files: tuple[str, ...]
    absent: tuple[str, ...] = ()
    revision: str = "main"
    when: Literal["import", "load", "generate"] = "load"
    canonical: str | None = None
    gated: bool = False
    code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """What the candidate lock loses before it is proven, and what must be objected to it then.

    Attributes:
        repo: The repo.
        path: A file of it, or what is known to be absent; all of it when empty.
        objections: The codes of everything that must be objected. Without `failed`, the library goes on in
            silence, and its run ends well.
    """

    repo: str
    path: str = ""
    objections: tuple[str, ...] = ("failed", "asked")

    @property
    def name(self) -> str:
        """What it is called in a test's name."""
        return f"{self.repo.rpartition('/')[2]}{self.path and '/'}{self.path}"

    @property
    def what(self) -> dict[str, str]:
        """It, for the driver."""
        return {"repo": self.repo, "path": self.path}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model, and what it fetches behind our back.

    Attributes:
        model: Its key in `tests.tinymodels.MODELS`.
        variant: Tells apart several rows of one model.
        wanted: Every artifact, by repo.
        withheld: Each is a proof of its own.
        manifest: More lines for the model in `models.toml`.
        flags: The same for the plain run.
        writes: A pattern for the one file that a run leaves outside the Hub's cache, below `.hf_cache`.
        token: Whether a token is given that opens the gated repos.
        arrange: What the tree of repos cannot say: tags, gates, new names.
    """

    model: str
    variant: str = ""
    wanted: tuple[Wanted, ...] = ()
    withheld: tuple[Withheld, ...]
    manifest: str = ""
    flags: tuple[str, ...] = ()
    writes: str = ""
    token: bool = False
    arrange: Callable[[LoopbackHub], None] = lambda _hub: None

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.model}{self.variant and '-'}{self.variant}"


def find(hub: LoopbackHub, repo_id: str) -> Repo:
    """The repo that has this id now."""
    repo = hub.find(repo_id)
    assert repo is not None, repo_id
    return repo


def _rename_bert(hub: LoopbackHub) -> None:
    hub.rename(_BERT.repo, str(_BERT.canonical))


def _pin_voices(hub: LoopbackHub) -> None:
    """Let the tag and the commit be all that is left of what mlx-audio asks for: both repos moved on."""
    tokenizer, voices = find(hub, _POCKET.repo), find(hub, _VOICES.repo)
    tokenizer.tag(TAG)
    voices.commits[VOICES_COMMIT] = replace(voices.commits[voices.refs["refs/heads/main"]], id=VOICES_COMMIT)
    for repo in (tokenizer, voices):
        repo.commit({"README.md": b"Moved on."})


def _give_qwen_code(hub: LoopbackHub) -> None:
    """Let the repo that mlx-audio trusts without being told to have something to be trusted."""
    repo = find(hub, _QWEN.repo)
    files = dict(repo.commits[repo.refs["refs/heads/main"]].files)
    kept = files["tokenizer_config.json"].content
    config = json.loads(b"".join(kept.chunks(0, kept.size)))
    named = {"AutoTokenizer": [f"{_MORE.removesuffix('.py')}.MoreTokenizer", None]}
    told = json.dumps({**config, "tokenizer_class": "MoreTokenizer", "auto_map": named})
    repo.commit({**files, "tokenizer_config.json": told.encode(), _MORE: _MORE_CODE})


def _gate_llama(hub: LoopbackHub) -> None:
    find(hub, _LLAMA.repo).gated = "manual"
    hub.user(TOKEN, grants=[_LLAMA.repo])


TOKEN = "hf_of_somebody_who_accepted"  # noqa: S105 - opens the test Hub

_MORE = "tokenization_more.py"
_MORE_CODE = b"""from transformers import Qwen2Tokenizer


class MoreTokenizer(Qwen2Tokenizer):
    pass
"""
_QWEN = Wanted(
    where="mlx_audio/stt/models/vibevoice_asr/vibevoice_asr.py:435",
    repo="Qwen/Qwen2.5-7B",
    files=("config.json", "merges.txt", *TOKENIZER, "vocab.json"),
    absent=NO_SPECIALS,
)
_DAC = Wanted(
    where="mlx_audio/tts/models/dia/dia.py:47",
    repo="mlx-community/descript-audio-codec-44khz",
    files=WEIGHTS,
)
_STARMIE = Wanted(
    where="mlx_vlm/models/moondream2/processing_moondream2.py:19",
    repo="moondream/starmie-v1",
    files=TOKENIZER,
    absent=(*NO_SPECIALS, "config.json", "tokenizer.model"),
)
_SNAC = Wanted(
    where="mlx_audio/tts/models/llama/llama.py:32",
    repo="mlx-community/snac_24khz",
    files=WEIGHTS,
    when="import",
)
_ORPHEUS = Wanted(
    where="mlx_audio/tts/models/llama/llama.py:136",
    repo="mlx-community/orpheus-3b-0.1-ft-bf16",
    files=("config.json", *TOKENIZER),
    absent=(*NO_SPECIALS, "tokenizer.model"),
)
_BERT = Wanted(
    where="mlx_audio/tts/models/bark/bark.py:427",
    repo="bert-base-multilingual-cased",
    files=("tokenizer_config.json", "vocab.txt"),
    absent=(*NO_SPECIALS, "tokenizer.json"),
    canonical="google-bert/bert-base-multilingual-cased",
)
_ENCODEC = Wanted(
    where="mlx_audio/tts/models/bark/pipeline.py:120",
    repo="mlx-community/encodec-24khz-float32",
    files=WEIGHTS,
    when="generate",
)
_POCKET = Wanted(
    where="mlx_audio/tts/models/pocket_tts/conditioners.py:81",
    repo="kyutai/pocket-tts",
    revision=TAG,
    files=("tokenizer.json",),
)
_VOICES = Wanted(
    where="mlx_audio/tts/models/pocket_tts/utils.py:54",
    repo="kyutai/pocket-tts-without-voice-cloning",
    revision=VOICES_COMMIT,
    files=("embeddings/alba.safetensors",),
    when="generate",
)
_LLAMA = Wanted(
    where="mlx_audio/tts/models/tada/tada.py:1472",
    repo="meta-llama/Llama-3.2-1B-Instruct",
    files=("config.json", *TOKENIZER),
    absent=(*NO_SPECIALS, "tokenizer.model"),
    gated=True,
)
_TADA_CODEC = Wanted(
    where="mlx_audio/tts/models/tada/tada.py:440",
    repo="HumeAI/tada-codec",
    files=(
        ".gitattributes",
        "README.md",
        "decoder/model.safetensors",
        "decoder/model.safetensors.index.json",
    ),
)
_SILERO = Wanted(
    where="mlx_audio/stt/models/higgs_audio_3/vad.py:29",
    repo="mlx-community/silero-vad",
    files=WEIGHTS,
    when="generate",
)
_OUTE = Wanted(
    where="mlx_audio/tts/models/outetts/outetts.py:39",
    repo="OuteAI/Llama-OuteTTS-1.0-1B",
    files=("config.json", *TOKENIZER),
    absent=(*NO_SPECIALS, "tokenizer.model"),
)
_SPEECH_DAC = Wanted(
    where="mlx_audio/tts/models/outetts/dac_interface.py:58",
    repo="mlx-community/dac-speech-24khz-1.5kbps",
    files=WEIGHTS,
    when="generate",
)
_WHISPER = Wanted(
    where="mlx_audio/tts/models/outetts/audio_processor.py:226",
    repo="mlx-community/whisper-large-v3-turbo-asr-fp16",
    files=("config.json", "merges.txt", *WEIGHTS[1:], "preprocessor_config.json", *TOKENIZER, "vocab.json"),
    when="generate",
)
_DACVAE = Wanted(
    where="mlx_audio/tts/models/irodori_tts/irodori_tts.py:116",
    repo="Aratako/Semantic-DACVAE-Japanese-32dim",
    files=WEIGHTS,
)
_LLM_JP = Wanted(
    where="mlx_audio/tts/models/irodori_tts/irodori_tts.py:140",
    repo="llm-jp/llm-jp-3-150m",
    files=("config.json", *TOKENIZER),
    absent=(*NO_SPECIALS, "tokenizer.model"),
    when="generate",
)
_SPEECH_TOKENIZER = Wanted(
    where="mlx_audio/tts/models/chatterbox_turbo/chatterbox_turbo.py:303",
    repo="mlx-community/S3TokenizerV2",
    files=("model.safetensors",),
)
_WHOLE_SPEECH_TOKENIZER = Wanted(
    where="mlx_audio/tts/models/chatterbox/chatterbox.py:591",
    repo="mlx-community/S3TokenizerV2",
    files=("config.json", "model.safetensors"),
)
_GLYPHS = Wanted(
    where="mlx_audio/tts/models/chatterbox/tokenizer.py:179",
    repo="ResembleAI/chatterbox",
    files=("Cangjie5_TC.json",),
)
_CODE = Wanted(
    where="transformers/dynamic_module_utils.py",
    repo="acme/tokenizer-code",
    files=("tokenization_tiny.py",),
    code=True,
)


def _all_of(wanted: Wanted, *objections: str) -> Withheld:
    return Withheld(repo=wanted.repo, objections=objections or ("failed", "asked"))


ROWS = (
    Row(model="vibevoice", wanted=(_QWEN,), withheld=(_all_of(_QWEN),)),
    Row(
        model="vibevoice",
        variant="code",
        wanted=(
            replace(
                _QWEN,
                files=("config.json", "merges.txt", _MORE, *TOKENIZER, "vocab.json"),
                code=True,
            ),
        ),
        withheld=(Withheld(repo=_QWEN.repo, path=_MORE),),
        manifest='remote-code = "allow"\n',
        arrange=_give_qwen_code,
    ),
    Row(model="dia", wanted=(_DAC,), withheld=(_all_of(_DAC),)),
    Row(
        model="moondream2",
        wanted=(_STARMIE,),
        withheld=(
            _all_of(_STARMIE, "asked", "input-differs"),
            Withheld(repo=_STARMIE.repo, path="config.json", objections=("asked", "input-differs")),
        ),
    ),
    Row(
        model="orpheus",
        wanted=(_ORPHEUS, _SNAC),
        withheld=(_all_of(_SNAC), _all_of(_ORPHEUS)),
        manifest='first-run = [{ name = "default", max-tokens = 14 }]\n',
    ),
    Row(
        model="bark",
        wanted=(_BERT, _ENCODEC),
        withheld=(_all_of(_BERT, "asked", "input-differs"), _all_of(_ENCODEC)),
        arrange=_rename_bert,
    ),
    Row(
        model="pocket",
        wanted=(_POCKET, _VOICES),
        withheld=(_all_of(_POCKET), _all_of(_VOICES)),
        arrange=_pin_voices,
    ),
    Row(
        model="tada",
        wanted=(_TADA_CODEC, _LLAMA),
        withheld=(_all_of(_LLAMA), _all_of(_TADA_CODEC, "asked", "output-differs")),
        token=True,
        arrange=_gate_llama,
    ),
    Row(
        model="outetts",
        wanted=(_OUTE, _SPEECH_DAC, _WHISPER),
        withheld=(_all_of(_OUTE), _all_of(_SPEECH_DAC), _all_of(_WHISPER)),
        manifest='first-run = [{ name = "default", ref-audio = "hello.wav", max-tokens = 32 }]\n',
        flags=("--clone",),
        writes="home/.cache/mlx_audio/voices/outetts_*.json",
    ),
    Row(
        model="irodori",
        wanted=(_DACVAE, _LLM_JP),
        withheld=(_all_of(_DACVAE), _all_of(_LLM_JP)),
    ),
    # It clones recordings of more than five seconds only: with one, `output-differs` is objected as well,
    # after a minute and a half of a processor's work.
    Row(
        model="chatterbox_turbo",
        wanted=(_SPEECH_TOKENIZER,),
        withheld=(_all_of(_SPEECH_TOKENIZER, "asked"),),
        manifest='first-run = [{ name = "default", max-tokens = 4 }]\n',
    ),
    Row(
        model="chatterbox",
        wanted=(_GLYPHS, _WHOLE_SPEECH_TOKENIZER),
        withheld=(_all_of(_GLYPHS, "asked", "output-differs"), _all_of(_WHOLE_SPEECH_TOKENIZER)),
        manifest='first-run = [{ name = "default", text = "你好嗎", language = "zh", max-tokens = 4 }]\n',
    ),
    Row(model="higgs", wanted=(_SILERO,), withheld=(_all_of(_SILERO, "asked", "output-differs"),)),
    Row(
        model="automap",
        wanted=(_CODE,),
        withheld=(_all_of(_CODE),),
        manifest='remote-code = "allow"\n',
        flags=("--trust-remote-code",),
    ),
    Row(
        model="modelfile",
        withheld=(
            Withheld(
                repo="mlx-community/Qwen2-VL-custom-fp16", path="modeling_tiny.py", objections=("failed",)
            ),
        ),
        manifest='remote-code = "allow"\n',
        flags=("--trust-remote-code",),
    ),
)
