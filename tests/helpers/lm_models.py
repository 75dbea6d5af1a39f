"""Models that several tests read."""

import pytest
import torch


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory):
    """A saved tiny Qwen2 with a vocabulary of its own that knows no SIDs."""
    from tiny_lm import make_queries
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from genrecall.foundation.libraries import no_progress_bars
    from genrecall.generator.lm.tokens import train_tokenizer

    folder = tmp_path_factory.mktemp("models") / "tiny-qwen2"
    torch.manual_seed(7)
    tokenizer = train_tokenizer(make_queries(200), vocabulary=400)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    config = Qwen2Config(vocab_size=len(tokenizer) + 8, tie_word_embeddings=False, **sizes, **heads)
    with no_progress_bars():
        Qwen2ForCausalLM(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def trained():
    """A model from scratch that has learned a little; only to be read."""
    from tiny_lm import CONFIG, make_draw, make_lm

    from genrecall.foundation.progress import SilentLog
    from genrecall.generator.config import StageConfig
    from genrecall.learning.checkpoint import Checkpoints
    from genrecall.supervised.lm.training import train_lm_stage

    lm = make_lm()
    train_lm_stage(
        lm,
        make_draw(batch=16),
        StageConfig(steps=40, batch=16, learning_rate=2e-3),
        CONFIG,
        name="query_to_sid",
        seed=3,
        checkpoints=Checkpoints(None, every=0),
        log=SilentLog(),
    )
    return lm
