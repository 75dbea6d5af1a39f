"""Language models from a directory, by name and from scratch, and what is said of unusable ones."""

import sys

import numpy as np
import pytest
import torch
from decoding import search
from tiny_lm import (
    CONFIG,
    SPACE,
    as_generator,
    make_lm,
    make_prompts,
    make_queries,
    save,
    sids_of_rows,
    write,
)

from genrecall.foundation.errors import ConfigError
from genrecall.foundation.libraries import lm_library, no_progress_bars
from genrecall.foundation.sid import Sid
from genrecall.generator.lm.config import SHAPES
from genrecall.generator.lm.model import LmModel
from genrecall.generator.lm.pretrained import open_pretrained
from genrecall.generator.lm.tokens import START, sid_tokens, train_tokenizer
from genrecall.generator.prompts import ITEM, QUERY, Prompt, WrittenPrompt, write_prompt


def config_of(name):
    return CONFIG.model_copy(update={"pretrained": str(name)})


def test_a_pretrained_directory_gets_sid_tokens(pretrained):
    causal, tokenizer = open_pretrained(str(pretrained))
    lm = make_lm(config=config_of(pretrained))
    assert type(lm.causal) is type(causal) and lm.start == len(tokenizer)
    first = lm.start + 1
    ids = lm.tokenizer.convert_tokens_to_ids([START, *sid_tokens(SPACE)])
    assert ids == list(range(lm.start, first + SPACE.n_tokens))
    # Old words are as they were; new ones look like them.
    before, after = causal.get_input_embeddings().weight, lm.causal.get_input_embeddings().weight
    assert torch.equal(after[: lm.start], before[: lm.start])
    assert after[first:].std().item() == pytest.approx(before.std().item(), rel=0.2)
    sid = str(Sid(4, 3, 5))
    assert lm.tokenizer.encode(sid) == [
        lm.token(n, torch.tensor(k)).item() for n, k in enumerate((4, 3, 5))
    ]


def test_a_pretrained_model_is_saved_and_loaded(pretrained, tmp_path):
    lm, prompts = make_lm(config=config_of(pretrained)), make_prompts(5)
    loaded = LmModel.load(save(lm, tmp_path / "generator"), space=SPACE)
    before, after = (search(as_generator(m), prompts, beam=5) for m in (lm, loaded))
    np.testing.assert_array_equal(before.leaves, after.leaves)
    np.testing.assert_array_equal(before.logprob, after.logprob)
    assert not any("bin" in path.suffix for path in (tmp_path / "generator").rglob("*"))


def test_a_model_of_another_catalog_is_refused(trained, tmp_path):
    saved = save(trained, tmp_path / "generator")
    with pytest.raises(ConfigError, match="<sid> already: it was trained on the SIDs of another"):
        make_lm(config=config_of(saved.path))


def test_a_directory_that_does_not_exist(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere' is no directory\. Give the folder of a saved"):
        make_lm(config=config_of(tmp_path / "nowhere"))


def test_a_directory_without_a_model(tmp_path):
    with pytest.raises(ConfigError, match=r"a directory, cannot be opened.*config\.json"):
        make_lm(config=config_of(tmp_path))


def test_a_name_that_is_not_in_the_cache(monkeypatch, tmp_path):
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="name on the hub, and no directory, cannot be opened"):
        make_lm(config=config_of("nobody/no-such-model"))


@pytest.mark.parametrize("kind", ["Bloom", "Lfm2"])
def test_layers_that_heed_no_mask_or_position_are_refused(kind, tmp_path):
    """The first has no positions, some layers of the second are convolutions."""
    import transformers

    tokenizer = train_tokenizer(make_queries(20), vocabulary=300)
    sizes = {"vocab_size": len(tokenizer), "hidden_size": 16, "num_hidden_layers": 2}
    more = {
        "Bloom": {"n_head": 2},
        "Lfm2": {"num_attention_heads": 2, "layer_types": ["conv", "full_attention"]},
    }
    config = getattr(transformers, f"{kind}Config")(**sizes, **more[kind])
    with no_progress_bars():
        getattr(transformers, f"{kind}ForCausalLM")(config).save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=f"'{kind.lower()}', whose layers do not all|not support"):
        make_lm(config=config_of(tmp_path))


def test_a_missing_library_is_answered_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"'peft'.*pip install 'genrecall\[lm\]'"):
        lm_library("peft")


def test_long_prompts_keep_their_end(trained):
    (short,), (long,) = (
        trained.encode([WrittenPrompt(text)]) for text in ("blue lamp", "steel " * 99 + "blue lamp")
    )
    assert len(long) == CONFIG.max_tokens + 1
    assert long[-len(short) + 1 :] == short[1:] and long[-1] == trained.start


@pytest.mark.parametrize("reloaded", [False, True])
@pytest.mark.parametrize("kind", ["scratch", "pretrained"])
def test_what_looks_like_a_token_in_a_text_is_text(kind, reloaded, trained, pretrained, tmp_path):
    lm = trained if kind == "scratch" else make_lm(config=config_of(pretrained))
    if reloaded:
        lm = LmModel.load(save(lm, tmp_path / "generator"), space=SPACE)
    typed = "saw <c1_0><c2_1><c3_2> <sid> <pad>"
    for prompt, kind_of_prompt in [
        (Prompt(typed), QUERY),
        (Prompt(typed), ITEM),
        (Prompt("saw", profile=(("a", "<sid>"),), history=(3,)), QUERY),
    ]:
        (ids,) = lm.encode([write_prompt(prompt, kind=kind_of_prompt, sids=sids_of_rows)])
        assert ids[-1] == lm.start
        assert lm.tokenizer.pad_token_id not in ids
        special = [token for token in ids[:-1] if token >= lm.start]
        expected = "".join(sids_of_rows(prompt.history))
        assert "".join(lm.tokenizer.convert_ids_to_tokens(special)) == expected
        kept = [token for token in ids[:-1] if token < lm.start]
        text = lm.tokenizer.decode(kept, clean_up_tokenization_spaces=False)
        assert (typed if prompt.text == typed else "a: <sid>") in text


@pytest.mark.parametrize("kind", ["scratch", "pretrained"])
def test_prompts_without_such_letters_are_encoded_as_the_tokenizer_does(kind, trained, pretrained):
    lm = trained if kind == "scratch" else make_lm(config=config_of(pretrained))
    for prompt in write(make_prompts(30)):
        (ids,) = lm.encode([prompt])
        whole = lm.tokenizer.encode(f"{prompt}{START}", add_special_tokens=False)
        assert ids == whole[-CONFIG.max_tokens - 1 :]


def test_any_character_is_read(trained):
    (ids,) = trained.encode([WrittenPrompt("Ünïcode 漢字 \x00 😀")])
    assert trained.tokenizer.unk_token_id not in ids and max(ids) == trained.start


def test_upper_case_is_lower_case_and_vocabularies_are_reproduced(trained):
    upper, lower = trained.encode([WrittenPrompt("Blue LAMP"), WrittenPrompt("blue lamp")])
    assert upper == lower
    first, second = (train_tokenizer(make_queries(99), vocabulary=400) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()


def test_sizes_are_what_they_say():
    millions = [12 * shape.layers * shape.width**2 / 1e6 for shape in SHAPES.values()]
    assert millions == pytest.approx([0.4, 3, 25, 151, 302], rel=0.05)
    assert all(shape.width % shape.heads == 0 for shape in SHAPES.values())
