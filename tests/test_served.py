"""A server for every checkpoint, and models of other servers as teachers and judges."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = [pytest.mark.live, pytest.mark.torch]

from etalon import config  # noqa: E402
from etalon.engines.verl import engine as verl  # noqa: E402
from etalon.errors import ConfigError, InputError, RunError  # noqa: E402
from etalon.model import loader  # noqa: E402
from etalon.pipeline import inputs  # noqa: E402
from etalon.recipe import DataSpec, ModelSpec, Recipe, RlSpec, SamplerSpec, StageSpec  # noqa: E402
from etalon.sampling.source import WithSystem, named_sampler, sampling_from  # noqa: E402
from etalon.types import Message, SamplingParams, ask  # noqa: E402
from test_children import is_gone, wait_for  # noqa: E402
from upstream import Reply, Upstream, dead_port  # noqa: E402

PARAMS = SamplingParams(max_tokens=16)
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    tiny = loader.scratch(ModelSpec(vocabulary=384), ["1 + 1 = 2"], seed=0, device="cpu")
    return loader.save(tiny, tmp_path_factory.mktemp("models") / "tiny")


def recipe(tmp_path, behaviour, **more):
    """One whose vLLM is a stand-in that behaves so."""
    python = tmp_path / "python"
    program = f'exec "{sys.executable}" "{HERE}/stand_in_vllm.py" {behaviour} "$@"'
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{HERE}" {program}\n')
    python.chmod(0o755)
    return Recipe(jobs=1, sampler=SamplerSpec(name="vllm", python=str(python), **more))


def sampled(sampler, questions=("a?", "b?"), n=2):
    found = dict(sampler.sample([ask(question) for question in questions], n=n, params=PARAMS, seed=1))
    return [[rollout.text for rollout in found[number]] for number in range(len(questions))]


def test_a_checkpoint_is_served_for_as_long_as_it_is_sampled_from(tmp_path, checkpoint):
    with sampling_from(checkpoint, recipe(tmp_path, "well", arguments=("--dtype", "float32")), folder=tmp_path) as vllm:
        server = vllm.server._process.pid
        assert sampled(vllm) == [["tiny, a?"] * 2, ["tiny, b?"] * 2]
    assert wait_for(lambda: is_gone(server))
    options = json.loads((tmp_path / "vllm.log").read_text().splitlines()[0])
    assert options["--model"] == str(checkpoint)
    assert options["--host"] == "127.0.0.1"
    assert options["--dtype"] == "float32"
    assert options["--generation-config"] == "vllm"  # or a checkpoint's top_k would replace the paper's parameters
    assert Path(options["--chat-template"]).read_text() == loader.load(checkpoint, device="cpu").tokenizer.chat_template


def test_a_server_that_does_not_start_is_named_with_its_last_words(tmp_path, checkpoint):
    broken = sampling_from(checkpoint, recipe(tmp_path, "broken"), folder=tmp_path)
    with pytest.raises(RunError, match=r"status 1; .*vllm\.log ends with: ValueError: no such architecture"), broken:
        pass
    silent = sampling_from(checkpoint, recipe(tmp_path, "silent", start_seconds=1), folder=tmp_path)
    with pytest.raises(RunError, match=r"did not answer within 1 s; see .*vllm\.log"), silent:
        pass


def test_a_server_that_dies_ends_the_stage_and_wrongs_nobody(tmp_path, checkpoint, monkeypatch):
    monkeypatch.setattr("etalon.sampling.endpoint.retry.BASE_SECONDS", 0.01)
    dies = pytest.raises(RunError, match=r"the vLLM server ended with status 1; .*vllm\.log")
    with sampling_from(checkpoint, recipe(tmp_path, "dying"), folder=tmp_path) as vllm, dies:
        sampled(vllm, questions=[f"{number}?" for number in range(8)])


def test_somebody_elses_server_on_the_port_is_not_believed(tmp_path, checkpoint, monkeypatch):
    with Upstream(lambda asked: Reply(content="of another checkpoint")) as upstream:
        upstream.pages["/health"] = {}
        monkeypatch.setattr("etalon.sampling.served._free_port", lambda: int(upstream.url.split(":")[2].split("/")[0]))
        other = sampling_from(checkpoint, recipe(tmp_path, "silent"), folder=tmp_path)
        with pytest.raises(InputError, match=r"serves no model 'etalon-\w+'; it lists toy"), other:
            pass


def test_a_tokenizer_without_a_template_gets_one_for_everybody(tmp_path, checkpoint):
    bare = shutil.copytree(checkpoint, tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    tokenizer = loader.load_tokenizer(bare)
    assert tokenizer.chat_template == loader.load(bare, device="cpu").tokenizer.chat_template
    assert tokenizer.chat_template.endswith(loader.FALLBACK_TEMPLATE)
    with pytest.raises(InputError, match="has no chat template, and verl needs one"):  # it reads the directory itself
        verl.load_tokenizer(bare)
    assert verl.load_tokenizer(checkpoint).chat_template


def test_with_the_default_the_checkpoint_is_loaded_here(tmp_path, checkpoint):
    with sampling_from(checkpoint, Recipe(), folder=tmp_path) as here:
        assert sampled(here, n=1) != [["tiny, a?"], ["tiny, b?"]]
    assert os.listdir(tmp_path) == []


def test_a_teacher_may_be_a_model_of_a_server():
    with Upstream(lambda asked: Reply(content="42")) as upstream:
        assert sampled(named_sampler(f"toy@{upstream.url}", Recipe())) == [["42"] * 2] * 2
        assert {asked.body["model"] for asked in upstream.requests} == {"toy"}
        inputs.check_endpoints(Recipe(data=DataSpec(teacher=f"toy@{upstream.url}")))
        with pytest.raises(ConfigError, match=r"data\.teacher: .*serves no model 'other'; it lists toy"):
            inputs.check_endpoints(Recipe(data=DataSpec(teacher=f"other@{upstream.url}")))
    with dead_port() as url, pytest.raises(ConfigError, match=r"data\.judge: endpoint .* cannot be reached"):
        inputs.check_endpoints(Recipe(data=DataSpec(judge=f"toy@{url}")))
    with pytest.raises(ConfigError, match="names no model"):
        named_sampler("@http://127.0.0.1:1/v1", Recipe())


def test_the_judge_of_a_stage_is_asked_before_anything_is_trained():
    def recipe(judge):
        return Recipe(stages=(StageSpec(name="open", kind="rl"),), rl=RlSpec(judge=judge))

    with Upstream(lambda asked: Reply(content="Yes")) as upstream:
        inputs.check_endpoints(recipe(f"toy@{upstream.url}"))
        with pytest.raises(ConfigError, match=r"open\.judge: .*serves no model 'other'; it lists toy"):
            inputs.check_endpoints(recipe(f"other@{upstream.url}"))


def test_a_system_message_goes_before_every_conversation_that_brings_none(tmp_path, checkpoint):
    recipe_ = recipe(tmp_path, "well").model_copy(update={"model": ModelSpec(system="Be brief.")})
    with Upstream(lambda asked: Reply(content="42")) as upstream:
        plain = named_sampler(f"toy@{upstream.url}", recipe_)
        sampled(WithSystem(plain, "Be brief."), n=1)
        own = (Message(role="system", content="Be long."), *ask("c?"))
        list(WithSystem(plain, "Be brief.").sample([own], n=1, params=PARAMS, seed=1))
        asked = [one.body["messages"] for one in upstream.requests]
    told = {messages[-1]["content"]: messages[0]["content"] for messages in asked}
    assert told == {"a?": "Be brief.", "b?": "Be brief.", "c?": "Be long."}
    with sampling_from(checkpoint, recipe_, folder=tmp_path) as vllm:
        assert isinstance(vllm, WithSystem)
    with sampling_from(checkpoint, Recipe(model=recipe_.model), folder=tmp_path) as local:
        model = local.language_model
        assert model.render(ask("a?")) == model.render(ask("a?", system="Be brief."))
        assert model.render(ask("a?", system="Be long.")) != model.render(ask("a?"))


def test_vllm_is_looked_for_before_anything_is_trained(tmp_path):
    def say(python):
        with pytest.raises(ConfigError) as raised:
            inputs.check_endpoints(Recipe(jobs=1, sampler=SamplerSpec(name="vllm", python=str(python))))
        return str(raised.value)

    assert say(sys.executable) == (
        f"sampler.python: {sys.executable} has no vLLM; name the Python of an environment that has it"
    )
    assert say(tmp_path / "python").startswith(f"sampler.python: {tmp_path}/python: cannot be run (")
    assert "a model of a server is written NAME@http://HOST:PORT/v1" in missing_name("data.teacher")


def missing_name(key):
    with pytest.raises(ConfigError) as raised:
        inputs.check_model(key, Path("http://127.0.0.1:9/v1"), otherwise="use 'nano'")
    return str(raised.value)


def test_a_server_for_every_checkpoint_has_the_machine_to_itself(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("[sampler]\nname = 'vllm'\n")
    with pytest.raises(ConfigError, match="needs jobs = 1"):
        inputs.check_inputs(config.load(path).resolved())
    inputs.check_inputs(config.load(path, ["jobs=1"]).resolved())
