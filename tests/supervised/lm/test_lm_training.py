"""Training of language models: it learns, resumes exactly, adapts few weights, tells its speed."""

import pytest
import torch
from decoding import search
from kept_log import KeptLog
from safetensors import safe_open
from tiny_lm import CONFIG, NOUNS, SPACE, as_generator, make_draw, make_lm, make_prompts

from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import SilentLog
from genrecall.generator.config import StageConfig
from genrecall.generator.lm.config import LmConfig, LoraConfig
from genrecall.learning.checkpoint import Checkpoints
from genrecall.supervised.lm.training import train_lm_stage


class StoppedError(Exception):
    """The process ends here."""


def train(lm, config=CONFIG, *, folder=None, stop=None, log=None, **stage):
    draw = make_draw(batch=stage.get("batch", 8))

    def until(step):
        if step == stop:
            raise StoppedError
        return draw(step)

    train_lm_stage(
        lm,
        until,
        StageConfig(**{"steps": 8, "batch": 8, "learning_rate": 2e-3} | stage),
        config,
        name="query_to_sid",
        seed=5,
        checkpoints=Checkpoints(folder, every=0),
        log=log or SilentLog(),
    )
    return lm


def weights(lm):
    return {name: value.clone() for name, value in lm.state_dict().items()}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def lora_config(pretrained):
    lora = LoraConfig(rank=2, alpha=4, dropout=0.2)
    return CONFIG.model_copy(update={"pretrained": str(pretrained), "lora": lora})


def test_a_trained_model_finds_what_it_was_shown(trained):
    prompts = make_prompts(20, seed=77)
    beams = search(as_generator(trained), prompts, beam=3)
    nouns = [prompt.text.split()[-1] for prompt in prompts]
    right = beams.leaves[:, 0] // 5 == [NOUNS.index(noun) for noun in nouns]
    assert right.mean() > 0.8


def test_same_seed_same_weights():
    assert equal(weights(make_lm(seed=1)), weights(make_lm(seed=1)))
    assert not equal(weights(make_lm(seed=1)), weights(make_lm(seed=2)))


@pytest.mark.parametrize("kind", ["scratch", "lora"])
def test_resuming_equals_an_uninterrupted_run(kind, pretrained, tmp_path):
    config = CONFIG if kind == "scratch" else lora_config(pretrained)
    config = config.model_copy(update={"micro_tokens": 80})
    whole = train(make_lm(config=config), config)
    with pytest.raises(StoppedError):
        train(make_lm(config=config), config, folder=tmp_path, stop=5)
    log = KeptLog()
    resumed = train(make_lm(config=config), config, folder=tmp_path, log=log)
    assert "  query_to_sid: resumes at step 5" in log.said
    assert equal(weights(resumed), weights(whole))


def test_chance_outside_is_left_as_it_was():
    torch.manual_seed(11)
    before = torch.get_rng_state()
    train(make_lm(), steps=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_checkpointing_changes_no_result():
    plain = train(make_lm())
    saving = train(make_lm(), CONFIG.model_copy(update={"checkpointing": True}))
    for name, value in weights(saving).items():
        torch.testing.assert_close(value, weights(plain)[name], rtol=1e-4, atol=1e-5)
    assert not saving.causal.is_activation_checkpointing


def test_bf16_learns_the_same_with_weights_in_fp32():
    plain = train(make_lm())
    half = train(make_lm(), CONFIG.model_copy(update={"precision": "bf16"}))
    found, expected = weights(half), weights(plain)
    assert not equal(found, expected)
    for name, value in expected.items():
        assert found[name].dtype == torch.float32
        assert (found[name] - value).norm() < 0.1 * value.norm()


def test_the_head_over_the_whole_vocabulary_is_never_called():
    lm, calls = make_lm(), []
    hook = lm.causal.get_output_embeddings().register_forward_hook(lambda *call: calls.append(call))
    train(lm, steps=1)
    hook.remove()
    assert not calls


def test_lora_trains_few_weights_and_leaves_a_plain_model(pretrained, tmp_path):
    config = lora_config(pretrained)
    lm = make_lm(config=config)
    before, names = weights(lm), set(weights(lm))
    train(lm, config, folder=tmp_path)
    after = weights(lm)
    assert set(after) == names and all(p.requires_grad for p in lm.parameters())
    changed = {name for name in names if not torch.equal(before[name], after[name])}
    tables = {name for name in names if "embed_tokens" in name or "lm_head" in name}
    assert changed == tables | {n for n in names if "proj.weight" in n}
    for name in tables:
        rows = (before[name] != after[name]).any(dim=1).nonzero()[:, 0]
        assert rows.min() > lm.start and len(rows) <= SPACE.n_tokens
    # A checkpoint holds the adapters and the SID tokens, and no frozen weights.
    with safe_open(tmp_path / "query_to_sid.safetensors", framework="pt") as stored:
        sizes = [stored.get_tensor(key).numel() for key in stored.keys() if "model." in key]  # noqa: SIM118
    assert sum(sizes) < 0.5 * sum(value.numel() for value in before.values())


def test_every_run_tells_its_speed():
    log = KeptLog()
    train(make_lm(), log=log)
    (figures,) = [figures for name, figures in log.events if name == "utilization"]
    assert figures["examples_per_second"] > 0
    assert figures["tokens_per_second"] > 4 * figures["examples_per_second"]
    assert 0 < figures["flop_utilization"] < 1
    assert "float32 product" in figures["peak_source"]
    assert "examples/s" in log.said[-1] and "% of" in log.said[-1]


def test_a_batch_smaller_than_the_processes_is_refused(monkeypatch):
    from genrecall.supervised.lm import training

    class Two:
        num_processes = 2

    monkeypatch.setattr(training, "join_processes", lambda _: Two())
    with pytest.raises(ConfigError, match=r"1 cannot be shared by 2 processes\. Raise batch"):
        train(make_lm(), batch=1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_told():
    with pytest.raises(ConfigError, match=r"torch finds no GPU here\. Say device: auto"):
        train(make_lm(), CONFIG.model_copy(update={"device": "cuda"}))


def test_lora_from_scratch_is_refused():
    with pytest.raises(ValueError, match="Name a model in `pretrained` or leave lora out"):
        LmConfig(lora=LoraConfig())
