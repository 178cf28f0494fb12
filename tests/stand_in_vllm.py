"""What `python -m vllm.entrypoints.openai.api_server` looks like from outside: arguments, /health, chat completions.

stand_in_vllm.py BEHAVIOUR -m vllm.entrypoints.openai.api_server --model DIR --port N ...
BEHAVIOUR: well; broken (ends at once); dying (ends after three answers); silent (never listens)
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import uvicorn

from upstream import Asked, Reply, Upstream

BEHAVIOUR, _, _, *REST = sys.argv[1:]
OPTIONS = dict(zip(REST[::2], REST[1::2], strict=False))


def answer(asked: Asked) -> Reply:
    if BEHAVIOUR == "dying" and asked.number >= 3:
        os._exit(1)
    return Reply(content=f"{Path(OPTIONS['--model']).name}, {asked.text}")


async def app(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await upstream._app(scope, receive, send)


if BEHAVIOUR == "broken":
    sys.exit("ValueError: no such architecture")
if BEHAVIOUR == "silent":
    time.sleep(60)
upstream = Upstream(answer, models=(OPTIONS["--served-model-name"],))
upstream.pages["/health"] = {}
sys.stderr.write(f"{json.dumps(OPTIONS)}\n")
asyncio.run(asyncio.sleep(0.2))  # it takes a moment until it listens
uvicorn.run(app, host=OPTIONS["--host"], port=int(OPTIONS["--port"]), log_level="critical", ws="none")
