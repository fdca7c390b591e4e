#!/usr/bin/env bash
# The main job of mlxlock on tiny real models, start to end, with no account and no Internet but a package index:
#   models.toml -> mlxk lock -> models.lock -> mlxk sync -> mlxk run, offline.
# Everything lands in .quickstart/ (git-ignored).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

here="$PWD/.quickstart"
venv="$PWD/.cache/venv"
project="$here/project"
speech="$PWD/mlxlock/runners/media/hello.wav"
rm -rf "$here"
mkdir -p "$project"

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
run() {
    local words="" word
    for word in "$@"; do
        case "$word" in *[!A-Za-z0-9_./@=:-]*) words+=" '$word'" ;; *) words+=" $word" ;; esac
    done
    printf '\033[2m$%s\033[0m\n' "$words"
    "$@"
}

if [ "$(uname -s)" = Linux ] && ! { command -v bwrap && command -v g++; } >/dev/null; then
    step "Installing bubblewrap, the sandbox of first runs on Linux, and the compiler that MLX uses there"
    sudo=""
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq bubblewrap g++ >/dev/null
fi

step "Making an environment with mlxlock, mlx-lm, mlx-vlm and mlx-audio (once, about two minutes)"
if [ ! -x "$venv/bin/mlxlock" ]; then
    for python in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
    done
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install -q --upgrade "pip>=25.1"
    "$venv/bin/python" -m pip install -q -e ".[all]"
fi
export PATH="$venv/bin:$PATH" VIRTUAL_ENV="$venv"

step "Building tiny real models, and serving them from a Hub on loopback"
python -m tests.tinymodels "$here/hub" text vision whisper vibevoice
python -m tests.testhub "$here/hub" --port-file "$here/port" >"$here/hub.log" 2>&1 &
hub=$!
trap 'kill "$hub" 2>/dev/null || true' EXIT
for _ in $(seq 100); do if [ -s "$here/port" ]; then break; fi; sleep 0.1; done
HF_ENDPOINT="http://localhost:$(cat "$here/port")"
export HF_ENDPOINT MLXK_STORE_DIR="$here/store" HF_HUB_CACHE="$here/no-cache"

step "A manifest: which models the project runs"
cd "$project"
cat >models.toml <<'TOML'
[models.chat]
repo = "mlx-community/Qwen2-tiny-4bit"

[models.vision]
repo = "mlx-community/Qwen2-VL-tiny-fp16"

[models.whisper]
repo = "mlx-community/whisper-tiny-asr-fp16"

[models.asr]
repo = "mlx-community/VibeVoice-ASR-tiny"
TOML
run cat models.toml

step "Lock: resolve, hash, run each model once in a sandbox, prove that it then runs offline"
run mlxk lock

step "VibeVoice-ASR fetched a tokenizer behind our back; now the lock knows it"
run mlxk tree
run mlxk why Qwen/Qwen2.5-7B

step "Sync: build the workspace from the lock"
run mlxk sync
run mlxk status

step "The Hub goes away"
kill "$hub"
wait "$hub" 2>/dev/null || true
rm -rf models
run mlxk sync --offline
run mlxk verify

step "Every model still runs, offline (their weights are random: what they say is gibberish, and always the same)"
run mlxk run chat "Hello" --max-tokens 8
run mlxk run whisper --audio "$speech"
run mlxk run asr --audio "$speech" --max-tokens 16
run mlxk exec -- python -c 'from mlx_lm import load; load("mlx-community/Qwen2-tiny-4bit"); print("loaded by repo id, pinned and offline")'

step "Done. Commit models.toml and models.lock; everyone else runs: mlxk sync"
