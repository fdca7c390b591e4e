"""Edits `models.toml` as a person would: comments and everything else stay byte for byte.

The one place that uses tomlkit. Owns how a new entry looks, not what may be in it.
"""

from collections.abc import Mapping

import tomlkit
from tomlkit.items import Table

from mlxlock.errors import UsageError
from mlxlock.spec.names import ModelName
from mlxlock.spec.readers import did_you_mean
from mlxlock.spec.toml_text import shown

_NEW = """\
# The models this project runs. `mlxk add org/name` adds one; `mlxk lock` writes models.lock.
# All keys: see schemas/models.schema.json of mlxlock.

[workspace]
path = "models"
"""


def new_manifest() -> str:
    """What `mlxk init` writes."""
    return _NEW


def add_model(text: str, name: ModelName, fields: Mapping[str, str | list[str]]) -> str:
    """The text with one more `[models.<name>]` at its end.

    Args:
        text: A manifest that parses.
        name: The new model.
        fields: Its keys, in the order to write.

    Raises:
        UsageError: There is one of that name.
    """
    document = tomlkit.parse(text)
    models = document.get("models")
    if models is not None and name in models:
        raise UsageError(
            f"`models.toml` has a model `{name}` already",
            hint=f"`mlxk add --name OTHER …` takes another name, `mlxk remove {name}` takes it out",
        )
    gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
    return text + gap + _entry(name, fields)


def _entry(name: ModelName, fields: Mapping[str, str | list[str]]) -> str:
    entry = tomlkit.table()
    for key, value in fields.items():
        entry.add(key, value)
    models = tomlkit.table(is_super_table=True)
    models.add(tomlkit.key(name), entry)
    document = tomlkit.document()
    document.add("models", models)
    return tomlkit.dumps(document)


def remove_model(text: str, name: str) -> str:
    """The text without `[models.<name>]`.

    Raises:
        UsageError: There is none of that name.
    """
    document = tomlkit.parse(text)
    models = document.get("models")
    names = [str(each) for each in models] if isinstance(models, Mapping) else []
    if name not in names:
        near = did_you_mean(name, names)
        listed = ", ".join(f"`{each}`" for each in names) or "none"
        raise UsageError(f"`models.toml` has no model `{shown(name)}`{near}", hint=f"it has: {listed}")
    models = document["models"]
    models.remove(name)
    if isinstance(models, Table) and not models:
        document.remove("models")
    return tomlkit.dumps(document)
