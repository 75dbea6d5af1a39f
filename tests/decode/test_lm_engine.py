"""Engines of language models against the reference, over models from scratch and pretrained."""

import copy
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch
from decoding import score_all
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_lm import CONFIG, TRIE, as_generator, make_lm, make_prompts

from genrecall.decode.base import BeamRule
from genrecall.decode.engines import engine_of
from genrecall.decode.gpu.engine import GpuEngine
from genrecall.decode.lm.engine import LmEngine
from genrecall.decode.lm.native import NativeForward
from genrecall.decode.reference import ReferenceEngine
from genrecall.foundation.errors import RequestError
from genrecall.generator.prompts import Prompt
from genrecall.native.library import library

ATOL = 2e-5  # log-probabilities of one SID differ by the rounding of floats
PROMPTS = [*make_prompts(8), Prompt(""), Prompt("☂☂☂"), Prompt("blue lamp " * 60)]
"""With one of no word, and one that is longer than the model reads."""

KINDS = ["from scratch", "learned", "pretrained"]
ENGINES = {
    "torch": pytest.param(partial(LmEngine, native=False), id="torch"),
    "C": pytest.param(
        partial(LmEngine, native=True),
        marks=pytest.mark.skipif(not library(), reason="not built"),
        id="C",
    ),
    # As it runs on a GPU, but for the graphs.
    "fixed shapes": pytest.param(partial(GpuEngine, at_once=4), id="fixed shapes"),
}
EIGHT_BITS = [partial(LmEngine, int8=True, native=native) for native in (False, True)]
every_engine = pytest.mark.parametrize("make", ENGINES.values())


@pytest.fixture(scope="module", params=KINDS)
def generator(request, trained, pretrained):
    """Llama with as many heads of keys as of queries; Qwen 2 with fewer, and with biases."""
    return as_generator(
        {
            "from scratch": lambda: make_lm(seed=5),
            "learned": lambda: trained,
            "pretrained": lambda: make_lm(
                config=CONFIG.model_copy(update={"pretrained": str(pretrained)})
            ),
        }[request.param]()
    )


@pytest.fixture(scope="module")
def reading(generator):
    return generator.read(PROMPTS)


def assert_same(found, expected, atol=ATOL):
    """Equal but for the order of SIDs whose scores are equal up to rounding."""
    assert (found.leaves.dtype, found.logprob.dtype) == (np.int64, np.float32)
    np.testing.assert_array_equal(found.leaves < 0, expected.leaves < 0)
    np.testing.assert_allclose(found.logprob, expected.logprob, atol=atol)
    for one, other, scores in zip(found.leaves, expected.leaves, expected.logprob, strict=True):
        last = scores[scores > -np.inf][-1:]
        for place in np.flatnonzero(one != other):
            near = np.abs(scores - scores[place]) < atol
            assert near.sum() > 1 or scores[place] - last < atol


def test_it_serves_the_models_that_it_knows(generator):
    assert isinstance(engine_of(generator), LmEngine)


@every_engine
@pytest.mark.parametrize("beam", [1, 6, 30, 100])
def test_it_finds_what_the_reference_finds(generator, reading, make, beam):
    """100 beams are more than there are SIDs."""
    expected = ReferenceEngine(generator).search(reading, beam=beam)
    # What one engine has made of a reading is not there for another.
    assert_same(make(generator).search(reading, beam=beam), expected)


@pytest.mark.parametrize("make", EIGHT_BITS)
@pytest.mark.parametrize("beam", [5, 100])
def test_eight_bits_find_nearly_the_same(generator, reading, make, beam):
    expected = ReferenceEngine(generator).search(reading, beam=beam)
    found = make(generator).search(reading, beam=beam)
    pairs = list(zip(found.leaves, expected.leaves, strict=True))
    assert np.mean([np.isin(other, one).mean() for one, other in pairs]) > 0.8
    np.testing.assert_allclose(found.logprob, expected.logprob, atol=0.3)


@every_engine
def test_a_wide_beam_equals_exhaustive_scoring(generator, make):
    beams = make(generator).search(generator.read(PROMPTS[:3]), beam=len(TRIE))
    for leaves, logprob, prompt in zip(beams.leaves, beams.logprob, PROMPTS[:3], strict=True):
        assert sorted(leaves.tolist()) == list(range(len(TRIE)))
        np.testing.assert_allclose(logprob, score_all(generator, prompt)[leaves], atol=ATOL)


@every_engine
@settings(max_examples=40)
@given(st.data())
def test_only_what_is_valid_is_generated_and_first_codes_are_kept(generator, make, data):
    n_prompts = data.draw(st.integers(1, 4))
    reading = generator.read(PROMPTS[:n_prompts])
    rng = np.random.default_rng(data.draw(st.integers(0, 2**20)))
    share = data.draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))
    shape = data.draw(st.sampled_from([(), (1,), (n_prompts,)]))
    beam = data.draw(st.integers(1, 20))
    options = {
        "beam": beam,
        "valid": rng.random((*shape, len(TRIE))) < share,
        "min_level1": data.draw(st.integers(1, min(beam, 5))),
    }
    expected = ReferenceEngine(generator).search(reading, **options)
    assert_same(make(generator).search(reading, **options), expected)


@every_engine
def test_a_batch_is_answered_like_each_prompt_alone(generator, reading, make):
    engine = make(generator)
    together = engine.search(reading, beam=6)
    for number, prompt in enumerate(PROMPTS):
        alone = engine.search(generator.read([prompt]), beam=6)
        assert_same(alone, together[number : number + 1])


@pytest.mark.skipif(not library(), reason="not built")
@pytest.mark.parametrize("int8", [False, True])
def test_an_answer_in_c_does_not_depend_on_its_company(generator, reading, int8):
    """To the bit: nothing is rounded otherwise in a batch."""
    engine = LmEngine(generator, int8=int8)
    if not isinstance(engine._forward, NativeForward):
        assert int8  # without VNNI
        return
    together = engine.search(reading, beam=6)
    for number, prompt in enumerate(PROMPTS):
        alone = engine.search(generator.read([prompt]), beam=6)
        np.testing.assert_array_equal(alone.leaves[0], together.leaves[number])
        np.testing.assert_array_equal(alone.logprob[0], together.logprob[number])


@every_engine
def test_some_of_what_was_read_are_searched_like_each_alone(generator, reading, make):
    engine, rows = make(generator), np.array([7, 0, 7, 3])
    valid = np.random.default_rng(4).random((len(PROMPTS), len(TRIE))) < 0.6
    every = engine.search(reading, beam=12, valid=valid)
    some = engine.search(generator.read(PROMPTS), beam=12, rows=rows, valid=valid[rows])
    assert_same(some, every[rows])
    assert engine.search(reading, beam=3, rows=rows[:0]).leaves.shape == (0, 3)
    assert engine.search(generator.read([]), beam=3).logprob.shape == (0, 3)


@every_engine
def test_a_filter_that_leaves_nothing_leaves_only_padding(generator, reading, make):
    valid = np.zeros((len(PROMPTS), len(TRIE)), dtype=np.bool_)
    valid[2, 5] = True
    beams = make(generator).search(reading, beam=4, valid=valid)
    assert [of.found for of in beams] == [int(row == 2) for row in range(len(PROMPTS))]
    assert beams.leaves[2].tolist() == [5, -1, -1, -1]
    nothing = make(generator).search(reading, beam=4, valid=valid[0], min_level1=2)
    assert (nothing.leaves == -1).all() and (nothing.logprob == -np.inf).all()


@every_engine
def test_what_cannot_be_searched_is_refused(generator, reading, make):
    engine = make(generator)
    for beam, min_level1 in ((0, 1), (3, 4), (3, 0)):
        with pytest.raises(RequestError, match="needed is 1 <= min_level1 <= beam"):
            engine.search(reading, beam=beam, min_level1=min_level1)
    with pytest.raises(ValueError, match="does not fit"):
        engine.search(reading, beam=3, valid=np.ones((3, len(TRIE)), dtype=np.bool_))
    with pytest.raises(ValueError, match="is of int64; give bool"):
        engine.search(reading, beam=3, valid=np.ones(len(TRIE), np.int64))


@pytest.mark.parametrize("make", [*ENGINES.values(), *EIGHT_BITS])
def test_weights_that_are_no_numbers_are_refused(generator, make):
    broken = copy.deepcopy(generator.lm)
    with torch.no_grad():
        broken.body.layers[1].mlp.up_proj.weight[3, 2] = torch.nan
    damaged = as_generator(broken)
    with pytest.raises(RequestError, match="bundle are damaged"):
        make(damaged).search(damaged.read(PROMPTS[:2]), beam=3)


def test_a_prompt_is_computed_once_for_all_searches(generator, monkeypatch):
    engine, reading, computed = LmEngine(generator), generator.read(PROMPTS[:5]), []
    read = engine._forward.read
    monkeypatch.setattr(
        engine._forward, "read", lambda prompts: computed.append(len(prompts)) or read(prompts)
    )
    engine.search(reading, beam=3, rows=np.array([4, 1, 4]))
    engine.search(reading, beam=9)
    engine.search(reading, beam=9)
    assert computed == [2, 3]


@every_engine
def test_threads_search_at_once(generator, reading, make):
    engine = make(generator)
    expected = engine.search(reading, beam=9)
    with ThreadPoolExecutor(4) as pool:
        widths = [9, 3, 9, 25] * 4
        fresh = [generator.read(PROMPTS) for _ in range(2)]
        found = list(pool.map(lambda n: engine.search(fresh[n % 2], beam=widths[n]), range(16)))
    for beam, beams in zip(widths, found, strict=True):
        if beam == 9:
            assert_same(beams, expected)


def other(lm, **settings):
    """The same model of another kind."""
    twin = copy.deepcopy(lm)
    for name, value in settings.items():
        setattr(twin.causal.config, name, value)
    return twin


@pytest.mark.parametrize(
    "settings",
    [
        {"model_type": "gemma"},
        {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_type": "dynamic"}},
        {"layer_types": ["sliding_attention"] * 2, "sliding_window": 4},
        {"sliding_window": 4, "layer_types": None},  # as Mistral has it
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_a_model_of_another_kind_is_left_to_the_reference(trained, settings):
    assert isinstance(engine_of(as_generator(other(trained, **settings))), ReferenceEngine)


def test_halves_and_adapters_are_left_to_the_reference(trained):
    half = copy.deepcopy(trained).bfloat16()
    assert isinstance(engine_of(as_generator(half)), ReferenceEngine)
    adapted = copy.deepcopy(trained)
    adapted.free_sid_rows()
    assert isinstance(engine_of(as_generator(adapted)), ReferenceEngine)


def test_without_the_library_of_products_it_finds_the_same(trained, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    generator = as_generator(trained)
    reading = generator.read(PROMPTS)
    expected = ReferenceEngine(generator).search(reading, beam=7)
    assert_same(LmEngine(generator, native=False).search(reading, beam=7), expected)


@every_engine
def test_a_rule_keeps_as_many_beams_as_the_reference(generator, reading, make):
    step = reading.step.numpy()
    entropies = np.sort(-(np.exp(step) * step).sum(axis=1))
    middle = float(entropies[4:6].mean())
    assert entropies[4] < middle < entropies[5]
    rule = BeamRule((2, 7), (middle,))
    expected = ReferenceEngine(generator).search(reading, beam=rule)
    assert sorted(beams.found for beams in expected)[::10] == [2, 7]
    assert_same(make(generator).search(reading, beam=rule), expected)
