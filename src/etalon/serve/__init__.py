"""What Etalon offers over HTTP: the CLR proxy, the doctor that examines an upstream, the sandbox as a service.

    client -> gate (key, host, size, load) -> chat { relay to the upstream | CLR over the upstream } -> JSON or events

caps.py       what is served, where, and its caps
api_error.py  errors in OpenAI's JSON shape
call.py       one HTTP exchange: who may call, body in, JSON or events out, cancelled when the client leaves
upstreams.py  who answers now, and which models are served
relay.py      pass-through
question.py   a chat request that asks for CLR
clr_chat.py   a CLR answer as a chat completion, streamed with its progress
metrics.py    counters in Prometheus' text format
app.py        the routes; server.py the process
doctor/       what an upstream really honours
sandbox.py    the sandbox as a service; run_code.py has its schema
"""
