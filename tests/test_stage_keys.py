"""What redoes a stage: how it trains and samples, not where and how fast."""

import pytest

from etalon.pipeline.graph import graph_of
from etalon.recipe import Recipe, SamplerSpec, TrlSpec, VerlSpec

TRL = Recipe(engine="trl")


def graph(recipe):
    return graph_of(recipe.resolved())


def redone(before, after):
    """The stages with other keys."""
    keys, others = graph(before).keys(), graph(after).keys()
    assert keys.keys() == others.keys()
    return {name for name in keys if keys[name] != others[name]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TRL, TRL.model_copy(update={"trl": TrlSpec(processes=4)})),
        (TRL, TRL.model_copy(update={"trl": TrlSpec(vllm="server", vllm_server="http://h:8000")})),
        (TRL, TRL.model_copy(update={"trl": TrlSpec(gradient_checkpointing=True, rows=8, attention="eager")})),
        (Recipe(), Recipe(trl=TrlSpec(lora_rank=8))),
        (Recipe(), Recipe(threads=8, jobs=1)),
        (Recipe(engine="verl"), Recipe(engine="verl", verl=VerlSpec(nodes=2, address="auto"))),
        (Recipe(), Recipe(sampler=SamplerSpec(python="python", arguments=("--dtype", "float32")))),
    ],
)
def test_where_and_how_fast_redoes_nothing(before, after):
    assert redone(before, after) == set()


def test_another_engine_or_an_adapter_redoes_what_trains():
    for before, after in ((Recipe(), TRL), (TRL, TRL.model_copy(update={"trl": TrlSpec(lora_rank=8)}))):
        assert graph(before).by_name.keys() - redone(before, after) == {"problems"}


def test_another_sampler_redoes_what_samples_and_keeps_what_was_trained_before():
    found = redone(Recipe(), Recipe(sampler=SamplerSpec(name="vllm")))
    assert graph(Recipe()).by_name.keys() - found == {"problems", "base", "data", "sft-broad"}
