"""verl's SFT data set over rows that are token ids already: `data.custom_cls.{path,name}` name this file and TokenRows.

verl's own data set renders messages again, one turn at a time; a chat template that adds a system prompt or drops
earlier reasoning would then train on other tokens than every other engine. Rows of ids are the same everywhere, and
so are the rows of each step: `data.order_file` lists them, and verl's shuffle of it is undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch


class TokenRows(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Rows {prompt: [ids], response: [ids]}; the loss is on the response, as in `etalon.model.packed.TokenRow`.

    Its length is that of the order: all epochs, end to end.
    """

    def __init__(
        self, parquet_files: str | Sequence[str], tokenizer: Any, config: Any, processor: Any = None,
        max_samples: int = -1,
    ) -> None:  # fmt: skip
        files = [parquet_files] if isinstance(parquet_files, str) else list(parquet_files)
        self.rows = pa.concat_tables([pq.read_table(file, columns=["prompt", "response"]) for file in files])
        order = pq.read_table(config["order_file"], columns=["row"])["row"].to_pylist()
        shuffled = verl_shuffle(len(order))
        self.row_of = [0] * len(order)
        for place, index in enumerate(shuffled):  # verl asks for shuffled[0], shuffled[1], ...
            self.row_of[index] = order[place]
        self.max_length = int(config["max_length"])

    def __len__(self) -> int:
        return len(self.row_of)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        row = self.row_of[index]
        prompt, response = self.rows["prompt"][row].as_py(), self.rows["response"][row].as_py()
        length = len(prompt) + len(response)
        assert length <= self.max_length, f"row {row}: {length} tokens; longer rows are left out before"
        return {
            "input_ids": torch.tensor(prompt + response, dtype=torch.long),
            "position_ids": torch.arange(length, dtype=torch.long),
            "loss_mask": torch.tensor([0] * len(prompt) + [1] * len(response), dtype=torch.long),
        }


def verl_shuffle(length: int) -> list[int]:
    """The order in which verl's trainer asks for rows in its first epoch: torch's DistributedSampler with seed 0."""
    rows = torch.utils.data.TensorDataset(torch.arange(length))
    sampler: torch.utils.data.DistributedSampler[Any] = torch.utils.data.DistributedSampler(
        rows, num_replicas=1, rank=0, shuffle=True, drop_last=True
    )
    return list(sampler)
