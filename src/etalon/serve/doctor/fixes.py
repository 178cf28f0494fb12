"""What to change, server by server: the flag, variable or setting, as its own documentation names it."""

from __future__ import annotations

from etalon.serve.doctor.identify import Server

FIXES: dict[str, dict[Server, str]] = {
    "context": {
        Server.VLLM: "--max-model-len 65536",
        Server.SGLANG: "--context-length 65536",
        Server.LLAMACPP: "-c 262144 --parallel 4 (the slots share it: 65536 each)",
        Server.OLLAMA: "OLLAMA_CONTEXT_LENGTH=65536 ollama serve, or PARAMETER num_ctx 65536 in the Modelfile",
        Server.LMSTUDIO: "lms load NAME --context-length 65536",
    },
    "max_tokens > 4k": {
        Server.LLAMACPP: "-n -1",
        Server.OLLAMA: "PARAMETER num_predict -1 and PARAMETER num_ctx 65536 in the Modelfile",
        Server.LMSTUDIO: "lms load NAME --context-length 65536, and no response limit in the preset",
        Server.VLLM: "--override-generation-config '{\"max_new_tokens\": null}' and --max-model-len 65536",
        Server.SGLANG: "--context-length 65536",
    },
    "parallel slots": {
        Server.VLLM: "--max-num-seqs 64",
        Server.SGLANG: "--max-running-requests 64",
        Server.LLAMACPP: "--parallel 8 (with -c eight times the window)",
        Server.OLLAMA: "OLLAMA_NUM_PARALLEL=8 ollama serve",
        Server.LMSTUDIO: "Max Concurrent Predictions in the model's load settings",
    },
    "top_k off": {
        Server.OLLAMA: "PARAMETER top_k 0 and PARAMETER min_p 0 in the Modelfile (its OpenAI API takes neither)",
        Server.VLLM: "--generation-config vllm",
        Server.LLAMACPP: "--top-k 0 --min-p 0",
        Server.SGLANG: "--sampling-defaults openai",
        Server.LMSTUDIO: "Top K 0 and Min P off in the model's preset",
    },
    "top_p": {
        Server.OLLAMA: "PARAMETER top_p 0.95 in the Modelfile",
        Server.VLLM: "--generation-config vllm",
        Server.LLAMACPP: "--top-p 0.95",
        Server.SGLANG: "--sampling-defaults openai",
        Server.LMSTUDIO: "Top P 0.95 in the model's preset",
    },
    "think-tag leak": {
        Server.VLLM: "--reasoning-parser deepseek_r1",
        Server.SGLANG: "--reasoning-parser deepseek-r1",
        Server.LLAMACPP: "--jinja --reasoning-format deepseek",
        Server.OLLAMA: "a model whose template knows thinking: `ollama show NAME` lists it under Capabilities",
        Server.LMSTUDIO: "App Settings > Developer > separate reasoning_content in API responses",
    },
    "repetition loop": {
        Server.LLAMACPP: "weights of Q8_0 or better, --temp 1.0; --reasoning-budget bounds the loss",
        Server.OLLAMA: "weights of q8_0 or better, PARAMETER temperature 1.0",
        Server.LMSTUDIO: "weights of Q8_0 or better, temperature 1.0",
        Server.VLLM: "temperature 1.0 and weights in bfloat16 (--dtype bfloat16)",
        Server.SGLANG: "temperature 1.0 and weights in bfloat16 (--dtype bfloat16)",
    },
    "logprobs": {Server.VLLM: "--max-logprobs 20"},
    "json_schema": {Server.SGLANG: "--grammar-backend xgrammar"},
}
ANY = {
    "context": "start the server with a window of 65536 tokens",
    "max_tokens > 4k": "lift the server's limit on the length of a response",
    "parallel slots": "let the server run several requests at the same time",
    "top_k off": "set top_k to off in the server's own defaults",
    "top_p": "set top_p to 0.95 in the server's own defaults",
    "think-tag leak": "turn on the server's reasoning parser; etalon itself splits the text either way",
    "repetition loop": "temperature 1.0 and less quantised weights",
}


def fix(check: str, server: Server) -> str:
    """The change that helps this server, a general one when it is unknown, "" when there is none."""
    return FIXES.get(check, {}).get(server) or (ANY.get(check, "") if server is Server.OTHER else "")
