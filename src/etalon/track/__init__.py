"""A run shown in the tracker that somebody already uses: trackio, wandb or tensorboard. Files stay the truth.

RUN/stages/*/metrics.jsonl, DONE.json -> feed -> sender -> Tracker             RUN/track/NAME/sent.jsonl: what it has

beside     a process of its own beside a run that trains: a tracker that hangs or fails costs the run nothing
sender     the same over a finished run (`etalon track`): what was sent is not sent again
"""
