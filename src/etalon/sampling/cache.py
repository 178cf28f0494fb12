"""Keys and values of the tokens that the rows of a batch have seen, and attention over them.

Rows     prompt and response of every row in one block: few and large products, for what is small
Shared   a prompt once for all its rows, responses of their own: prompts cost their memory, and the reading of it, once

Prompts are padded on the left, so that a step writes one slice. Rows that ended are dropped by `keep`.

Axes: P prompts, R rows (rollouts), C cache columns, H heads, K key-value heads, G heads per key-value head, D head
size, L layers, N rows that a prompt began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

GROWTH = 64  # (ours) cache columns added when it is full; one copy per so many steps costs next to nothing
SHARED_FROM = 64_000_000  # (ours) bytes that the prompts of all rows would take, from which they are held once


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """What the prompts of a batch have left.

    keys_L: (P, K, D, C) of each layer; values_L: (P, K, C, D); pad_P: how many of the C columns, from the left, are
    padding.
    """

    keys_L: Sequence[torch.Tensor]
    values_L: Sequence[torch.Tensor]
    pad_P: torch.Tensor

    @property
    def columns(self) -> int:
        return self.values_L[0].shape[2]

    @staticmethod
    def joined(parts: Sequence[Prompts]) -> Prompts:
        """Those of all parts, which have as many columns."""
        if len(parts) == 1:
            return parts[0]
        return Prompts(
            keys_L=[torch.cat(layer) for layer in zip(*(part.keys_L for part in parts), strict=True)],
            values_L=[torch.cat(layer) for layer in zip(*(part.values_L for part in parts), strict=True)],
            pad_P=torch.cat([part.pad_P for part in parts]),
        )

    def mask(self) -> torch.Tensor | None:
        """-inf at padding, else 0, (P, C); None where there is none."""
        if not bool(self.pad_P.any()):
            return None
        is_padding = torch.arange(self.columns, device=self.pad_P.device) < self.pad_P[:, None]
        return torch.zeros(is_padding.shape, device=self.pad_P.device).masked_fill_(is_padding, float("-inf"))


def is_shared(prompt_bytes: float, repeat: int) -> bool:
    """Whether prompts that would take so many bytes in all rows are held once."""
    return repeat > 1 and prompt_bytes >= SHARED_FROM


class Rows:
    """One block (R, K, C, D) a layer."""

    def __init__(self, prompts: Prompts, repeat: int, scale: float) -> None:
        self.scale = scale
        self.keys_LRKDC = torch.stack([keys.repeat_interleave(repeat, 0) for keys in prompts.keys_L])
        self.values_LRKCD = torch.stack([values.repeat_interleave(repeat, 0) for values in prompts.values_L])
        self.pad_R = prompts.pad_P.repeat_interleave(repeat)
        mask_PC = prompts.mask()
        self.mask_RC = None if mask_PC is None else mask_PC.repeat_interleave(repeat, 0)  # of prompt columns only
        self.columns = prompts.columns

    def grow(self) -> None:
        """Room for another column."""
        if self.columns == self.values_LRKCD.shape[3]:
            self.keys_LRKDC = _wider(self.keys_LRKDC, 4)
            self.values_LRKCD = _wider(self.values_LRKCD, 3)

    def attend(
        self, layer: int, query_RHD: torch.Tensor, key_RKD: torch.Tensor, value_RKD: torch.Tensor
    ) -> torch.Tensor:
        """Write the new column of a layer; what its queries see of all columns, (R, H * D)."""
        keys, values = self.keys_LRKDC[layer], self.values_LRKCD[layer]
        keys[..., self.columns] = key_RKD
        values[:, :, self.columns] = value_RKD
        seen = self.columns + 1
        rows, heads, size = query_RHD.shape
        per_kv_head = query_RHD.reshape(rows * values.shape[1], -1, size)
        found = scores(per_kv_head, keys.flatten(0, 1)[..., :seen], self.scale)
        if self.mask_RC is not None:
            found.view(rows, heads, -1)[..., : self.mask_RC.shape[1]] += self.mask_RC[:, None]
        attended = torch.bmm(found.softmax(-1).to(values.dtype), values.flatten(0, 1)[:, :seen])
        return attended.view(rows, -1)

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows but these (indices, ascending)."""
        self.keys_LRKDC = self.keys_LRKDC.index_select(1, rows)
        self.values_LRKCD = self.values_LRKCD.index_select(1, rows)
        self.pad_R = self.pad_R.index_select(0, rows)
        if self.mask_RC is not None:
            self.mask_RC = self.mask_RC.index_select(0, rows)


class Shared:
    """Prompts once, and the responses of rows in blocks that begin empty.

    place_R: which of the P x N places every row has; queries are laid out in these places to see their prompt.
    """

    def __init__(self, prompts: Prompts, repeat: int, scale: float) -> None:
        self.prompts, self.repeat, self.scale = prompts, repeat, scale
        self.mask_PC = prompts.mask()
        keys, values = prompts.keys_L[0], prompts.values_L[0]
        layers, rows, heads, size = len(prompts.keys_L), len(keys) * repeat, keys.shape[1], keys.shape[2]
        self.keys_LRKDC = keys.new_empty(layers, rows, heads, size, 0)
        self.values_LRKCD = values.new_empty(layers, rows, heads, 0, size)
        self.pad_R = prompts.pad_P.repeat_interleave(repeat)
        self.place_R = torch.arange(rows, device=keys.device)
        self.columns = prompts.columns

    def grow(self) -> None:
        """Room for another column."""
        if self.columns - self.prompts.columns == self.values_LRKCD.shape[3]:
            self.keys_LRKDC = _wider(self.keys_LRKDC, 4)
            self.values_LRKCD = _wider(self.values_LRKCD, 3)

    def attend(
        self, layer: int, query_RHD: torch.Tensor, key_RKD: torch.Tensor, value_RKD: torch.Tensor
    ) -> torch.Tensor:
        """Write the new column of a layer; what its queries see of all columns, (R, H * D)."""
        column, length = self.columns - self.prompts.columns, self.prompts.columns
        keys, values = self.keys_LRKDC[layer], self.values_LRKCD[layer]
        keys[..., column] = key_RKD
        values[:, :, column] = value_RKD
        rows, kv_heads, size = key_RKD.shape
        query_RKGD = query_RHD.reshape(rows, kv_heads, -1, size)
        of_own = scores(query_RKGD.flatten(0, 1), keys.flatten(0, 1)[..., : column + 1], self.scale)
        of_prompt = scores(self._placed(query_RKGD), self.prompts.keys_L[layer].flatten(0, 1), self.scale)
        if self.mask_PC is not None:
            of_prompt.view(len(self.mask_PC), -1, length).add_(self.mask_PC[:, None])
        joined = torch.cat([self._taken(of_prompt, kv_heads), of_own.view(rows, kv_heads, -1, column + 1)], -1)
        share = joined.softmax(-1).to(values.dtype)
        own = torch.bmm(share[..., length:].flatten(0, 1), values.flatten(0, 1)[:, : column + 1])
        theirs = torch.bmm(self._placed(share[..., :length]), self.prompts.values_L[layer].flatten(0, 1))
        both = self._taken(theirs, kv_heads).float() + own.view(rows, kv_heads, -1, size).float()
        return both.to(values.dtype).reshape(rows, -1)

    def _placed(self, rows_RKGX: torch.Tensor) -> torch.Tensor:
        """Rows at their places beside their prompt's, (P * K, N * G, X); zeros where a row has ended."""
        _, kv_heads, group, size = rows_RKGX.shape
        places = len(self.prompts.pad_P) * self.repeat
        if len(rows_RKGX) < places:
            rows_RKGX = rows_RKGX.new_zeros(places, *rows_RKGX.shape[1:]).index_copy_(0, self.place_R, rows_RKGX)
        beside = rows_RKGX.view(-1, self.repeat, kv_heads, group, size).transpose(1, 2)
        return beside.reshape(-1, self.repeat * group, size)

    def _taken(self, placed: torch.Tensor, kv_heads: int) -> torch.Tensor:
        """The opposite of `_placed`."""
        beside = placed.view(-1, kv_heads, self.repeat, placed.shape[1] // self.repeat, placed.shape[2])
        found = beside.transpose(1, 2).flatten(0, 1)
        return found if len(found) == len(self.place_R) else found.index_select(0, self.place_R)

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows but these (indices, ascending), and prompts without any."""
        self.keys_LRKDC = self.keys_LRKDC.index_select(1, rows)
        self.values_LRKCD = self.values_LRKCD.index_select(1, rows)
        self.pad_R, self.place_R = self.pad_R.index_select(0, rows), self.place_R.index_select(0, rows)
        prompt_R = self.place_R // self.repeat
        left, now_R = torch.unique(prompt_R, return_inverse=True)
        if len(left) < len(self.prompts.pad_P):
            old = self.prompts
            self.prompts = Prompts(
                keys_L=[keys.index_select(0, left) for keys in old.keys_L],
                values_L=[values.index_select(0, left) for values in old.values_L],
                pad_P=old.pad_P.index_select(0, left),
            )
            self.mask_PC = None if self.mask_PC is None else self.mask_PC.index_select(0, left)
            self.place_R = now_R * self.repeat + self.place_R % self.repeat


def scores(query: torch.Tensor, keys: torch.Tensor, scale: float) -> torch.Tensor:
    """Scaled products in float32, as the kernels of training keep them."""
    if query.dtype == torch.float32:
        return torch.baddbmm(query.new_empty(1, 1, 1), query, keys, beta=0, alpha=scale)
    if query.is_cuda:
        return torch.bmm(query, keys, out_dtype=torch.float32).mul_(scale)
    return torch.bmm(query.float(), keys.float()).mul_(scale)


def _wider(cache: torch.Tensor, axis: int) -> torch.Tensor:
    shape = list(cache.shape)
    shape[axis] += GROWTH
    wider = cache.new_empty(shape)
    wider.narrow(axis, 0, cache.shape[axis]).copy_(cache)
    return wider
