"""verl's SFT data set over rows that are token ids already: `data.custom_cls.{path,name}` name this file and TokenRows.

verl's own data set renders messages again, one turn at a time; a chat template that adds a system prompt or drops
earlier reasoning would then train on other tokens than every other engine. Rows of ids are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch


class TokenRows(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Rows {prompt: [ids], response: [ids]}; the loss is on the response, as in `etalon.packed.TokenRow`."""

    def __init__(
        self, parquet_files: str | Sequence[str], tokenizer: Any, config: Any, processor: Any = None,
        max_samples: int = -1,
    ) -> None:  # fmt: skip
        files = [parquet_files] if isinstance(parquet_files, str) else list(parquet_files)
        self.table = pa.concat_tables([pq.read_table(file, columns=["prompt", "response"]) for file in files])
        if max_samples > 0:
            self.table = self.table.slice(0, max_samples)
        self.max_length = int(config.get("max_length", 0)) if config else 0

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        prompt = self.table["prompt"][index].as_py()
        response = self.table["response"][index].as_py()
        length = len(prompt) + len(response)
        assert not self.max_length or length <= self.max_length, f"row {index}: {length} tokens; longer rows are left out"
        return {
            "input_ids": torch.tensor(prompt + response, dtype=torch.long),
            "position_ids": torch.arange(length, dtype=torch.long),
            "loss_mask": torch.tensor([0] * len(prompt) + [1] * len(response), dtype=torch.long),
        }
