#!/usr/bin/env bash
# Installs what the checks need and runs all of them: `bash tests/run.sh [pytest arguments]`.
# Everything lands in .cache/ (git-ignored): nothing of the machine's own Python is touched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export MLXK_TEST_CACHE="${MLXK_TEST_CACHE:-$PWD/.cache/tests}"
venv="$PWD/.cache/venv"
mkdir -p "$MLXK_TEST_CACHE"

# A place of our own: what an earlier run left cannot matter, and nothing of this one stays.
PYTEST_DEBUG_TEMPROOT="$(mktemp -d)"
chmod 755 "$PYTEST_DEBUG_TEMPROOT" # some tests become another user, who has to come by
export PYTEST_DEBUG_TEMPROOT
trap 'rm -rf "$PYTEST_DEBUG_TEMPROOT"' EXIT

say() { printf '\n==> %s\n' "$*"; }

system_packages() {
    local missing=()
    for program in bwrap curl strace git zsh fish g++; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    [ "${#missing[@]}" -eq 0 ] && return
    if [ "$(uname -s)" = Linux ] && command -v apt-get >/dev/null; then
        say "installing ${missing[*]/bwrap/bubblewrap}"
        local sudo=""
        [ "$(id -u)" -eq 0 ] || sudo=sudo
        $sudo apt-get update -qq
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]/bwrap/bubblewrap}" >/dev/null
    elif [ "$(uname -s)" = Linux ]; then
        echo "please install: ${missing[*]}" >&2
        exit 2
    fi
}

python_environment() {
    local python="${PYTHON:-}"
    if [ -z "$python" ]; then
        for python in python3.13 python3.12 python3.11 python3; do
            "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
        done
    fi
    local stamp="$venv/.mlxlock-stamp" wanted
    wanted="$("$python" -V) $(cksum <pyproject.toml)"
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
        say "making $venv with $("$python" -V)"
        rm -rf "$venv"
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install -q --upgrade "pip>=25.1"
        "$venv/bin/python" -m pip install -q -e ".[all]" --group lint --group test
        printf '%s' "$wanted" >"$stamp"
    fi
}

system_packages
python_environment
export PATH="$venv/bin:$PATH"

say "ruff"
ruff format --check .
ruff check .
say "mypy"
mypy
say "import contracts"
lint-imports
if [ $# -eq 0 ]; then
    say "every branch of what is pure, by its own tests"
    python -Im pytest -q tests/spec tests/planning --cov
fi
say "pytest, a worker for each processor"
python -Im pytest -n auto --dist loadfile "$@"
