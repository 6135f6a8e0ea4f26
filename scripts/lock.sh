#!/usr/bin/env bash
# Resolves pyproject.toml into the hashed requirement files; versions already pinned stay unless --upgrade is given.
set -euo pipefail
cd "$(dirname "$0")/.."
upgrade=("$@")
uv=${UV:-uv}
digest=$("${PYTHON:-python3}" scripts/lock_digest.py)
compile() { # OUTPUT ARGUMENT...
  local output=$1
  shift
  "$uv" pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-annotate --quiet --custom-compile-command "make lock  (pyproject.toml $digest)" -o "$output" "${upgrade[@]}" "$@"
}
run=(--extra service --extra simulator --extra devstack --group build)
compile requirements/run.txt "${run[@]}"
compile requirements/dev.txt "${run[@]}" --group dev -c requirements/run.txt
compile requirements/image-mcsvc.txt --extra service --group build -c requirements/run.txt
compile requirements/image-simulator.txt --extra simulator --group build -c requirements/run.txt
