"""Every verb: where it lives, and its line in `mlxk --help`. Imports nothing: the help stays quick."""

from collections.abc import Mapping
from typing import Final

SECTIONS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "The project's models": {
        "init": ("mlxlock.cli.project", "Start a project: models.toml, .gitignore, .gitattributes."),
        "add": ("mlxlock.cli.models", "Add models to models.toml, then lock and sync."),
        "remove": ("mlxlock.cli.models", "Remove models from models.toml, then lock and sync."),
        "lock": ("mlxlock.cli.lock", "Bring models.lock up to date with models.toml."),
        "capture": ("mlxlock.cli.lock", "Make first runs again, and add this environment's proofs."),
        "sync": ("mlxlock.cli.sync", "Make the workspace what models.lock says."),
        "status": ("mlxlock.cli.inspect", "Compare manifest, lock and workspace, quickly."),
        "verify": ("mlxlock.cli.inspect", "Read every byte of the workspace and compare it with the lock."),
        "tree": ("mlxlock.cli.inspect", "Show what the lock holds."),
        "why": ("mlxlock.cli.inspect", "Show why the lock holds a repo."),
    },
    "Models without a project": {
        "list": ("mlxlock.cli.shelf", "List the models on this machine."),
        "show": ("mlxlock.cli.shelf", "Show what a model is and where it came from."),
        "health": ("mlxlock.cli.shelf", "Say whether models are whole."),
        "clone": ("mlxlock.cli.clone", "Make a workspace of one model, at a commit, verified."),
        "pull": ("mlxlock.cli.clone", "For caching; use clone for managed workflows."),
        "convert": ("mlxlock.cli.convert", "Make a workspace of another model: quantized, or repaired."),
        "push": ("mlxlock.cli.push", "Make a workspace a commit on the Hub."),
        "rm": ("mlxlock.cli.shelf", "Take exactly what is named off this machine."),
    },
    "Running them": {
        "run": ("mlxlock.cli.run", "Run a model by path or name, offline."),
        "exec": ("mlxlock.cli.run", "Run your own program on the workspace, pinned and offline."),
        "env": ("mlxlock.cli.run", "Print shell lines that use the workspace."),
    },
    "Others": {
        "completion": ("mlxlock.cli.project", "Print the completion script of a shell."),
    },
}
"""By the heading above them: each verb, its module, and its line. A verb's function has the verb's name, with
an underscore behind it where Python has such a name already (`exec_`)."""

ENVIRONMENT: Final = {
    "MLXK_WORKSPACE_HOME": "Where `clone` puts workspaces, and names are looked up first.",
    "MLXK_MODEL_PATH": "More directories of workspaces, with `:` between them.",
    "MLXK_STORE_DIR": "Where the verified files of all projects are kept.",
    "HF_ENDPOINT": "Another Hub than huggingface.co; its token is MLXK_ENDPOINT_TOKEN.",
    "HF_TOKEN": "huggingface.co's token, where `hf auth login` was not run.",
    "HF_HOME, HF_HUB_CACHE": "The Hugging Face cache, whose files are taken instead of downloaded.",
}
"""What is heard beside the flags; each help names its own."""

VERBS: Final = {verb: entry for section in SECTIONS.values() for verb, entry in section.items()}
