"""One CLR answer while it is made, for whoever asks a question and watches.

run.py        the flow: calls are sent, verified and cancelled one by one
requests.py   what it sends
watch.py      its events, and the time left
result.py     what it ends with: the answer, or why there is none
gathered.py   the same on a model in this process, which works in batches
"""
