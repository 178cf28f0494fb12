"""Any OpenAI-compatible server as a Sampler: one or several URLs, single streamed requests, bounded and retried.

    conversation -> request.body -> Balancer picks a URL -> stream -> Answer -> Rollout

upstream.py   where and how: URLs, model, limits; the API key's variable
request.py    the JSON body, every sampling field spelled out; what a server that refuses one is sent
balance.py    least-loaded URL with a free slot
events.py     a body as events: server-sent ones as servers really send them, JSON, a line of JSON each
finish.py     why a response ended, in the words of any server
answer.py     deltas put together: reasoning, content, finish reason, usage; cut when it repeats one block for ever
retry.py      which failures are tried again, and when
lanes.py      connections
client.py     one event loop's connection to the URLs
bridge.py     asynchronous work for callers that are not
sampler.py    the Sampler, `complete` for asynchronous callers, and the journal to resume from
"""

from etalon.sampling.endpoint.answer import Answer, Delta, split_reasoning
from etalon.sampling.endpoint.client import Client
from etalon.sampling.endpoint.retry import UpstreamError
from etalon.sampling.endpoint.sampler import EndpointSampler
from etalon.sampling.endpoint.upstream import EndpointSettings, read_urls

__all__ = [
    "Answer", "Client", "Delta", "EndpointSampler", "EndpointSettings", "UpstreamError", "read_urls",
    "split_reasoning",
]  # fmt: skip
