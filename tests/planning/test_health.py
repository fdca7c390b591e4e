"""What makes a model unhealthy, from its files' names, lengths and headers."""

import json
from dataclasses import replace

import pytest

from mlxlock.planning.health import problems_of
from mlxlock.spec.model_facts import ModelFacts, ModelFile
from mlxlock.spec.safetensors import Header
from tests.planning.model_facts import facts, header

CONFIG = {"model_type": "llama"}
INDEX = "model.safetensors.index.json"


def index(**weight_map: str) -> str:
    return json.dumps({"weight_map": weight_map})


def shards(*numbers: int, total: int) -> dict[str, Header | str | None]:
    return {f"model-{number:05}-of-{total:05}.safetensors": header(f"t{number}") for number in numbers}


def test_a_whole_model_has_no_problem() -> None:
    assert problems_of(facts(CONFIG)) == ()
    assert problems_of(facts(CONFIG, texts={INDEX: index(w="model.safetensors")})) == ()
    assert problems_of(facts(CONFIG, shards(1, 2, total=2))) == ()
    assert problems_of(facts(None, {"model.gguf": None})) == ()
    litter = ModelFile(path=".git/x", size_bytes=1, problem="a link")
    assert problems_of(facts(CONFIG, files=(litter,))) == ()


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (facts(None), "`config.json` is missing"),
        (facts("[1]"), "`config.json` is not a JSON object"),
        (facts("{"), "`config.json` is not a JSON object"),
        (facts(CONFIG, {}), "it has no weights"),
        (facts(CONFIG, {"model.safetensors": "it is empty"}), "`model.safetensors`: it is empty"),
        (facts(CONFIG, files=(ModelFile(path="x", size_bytes=1, problem="a link"),)), "`x` is a link"),
        (facts(CONFIG, texts={INDEX: "[]"}), "`model.safetensors.index.json` has no `weight_map`"),
        (facts(CONFIG, texts={INDEX: "{}"}), "`model.safetensors.index.json` has no `weight_map`"),
        (
            facts(CONFIG, texts={INDEX: index(w="other.safetensors")}),
            "`model.safetensors.index.json` names `other.safetensors`, which is missing",
        ),
        (
            facts(CONFIG, texts={INDEX: index(w="model.safetensors", v="model.safetensors")}),
            f"`{INDEX}` names 1 tensors that are not there, e.g. `v` in `model.safetensors`",
        ),
    ],
)
def test_what_is_wrong_is_said(found: ModelFacts, problem: str) -> None:
    assert problems_of(found) == (problem,)


def test_what_was_there_when_it_was_made_is_missed() -> None:
    assert problems_of(replace(facts(CONFIG), gone=("vocab.txt",))) == ("`vocab.txt` is gone",)


def test_a_missing_shard_is_missed_once() -> None:
    found = facts(CONFIG, shards(1, 3, total=3))
    assert problems_of(found) == ("`model-00002-of-00003.safetensors` is missing",)
    assert len(problems_of(facts(CONFIG, shards(9, total=9)))) == 3
