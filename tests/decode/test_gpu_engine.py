"""What the engine for GPUs has of its own; `test_lm_engine.py` holds the contract of all."""

import copy

import numpy as np
import pytest
import torch
from tiny_lm import TRIE, as_generator, make_lm, make_prompts
from torch.utils._python_dispatch import TorchDispatchMode

from genrecall.decode.engines import engine_of
from genrecall.decode.gpu.engine import GpuEngine
from genrecall.decode.gpu.graphs import Graphs
from genrecall.decode.reference import ReferenceEngine

PROMPTS = make_prompts(11)
FROM_THE_HOST = {
    "aten::_local_scalar_dense",  # `.item()`, and whatever asks for a number
    "aten::nonzero",  # a shape that depends on numbers
    "aten::unique_consecutive",
    "aten::_unique2",
    "aten::masked_select",
    "aten::lift_fresh",  # a tensor made of Python's numbers
}


@pytest.fixture(scope="module")
def generator():
    return as_generator(make_lm(seed=5))


class Operations(TorchDispatchMode):
    """Keeps the names of the operations that are called."""

    def __init__(self):
        super().__init__()
        self.called = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.called.add(func.name().partition(".")[0])
        return func(*args, **(kwargs or {}))


class Recording(Graphs):
    """Keeps the keys, and what the computation itself calls."""

    def __init__(self):
        super().__init__(torch.device("cpu"))
        self.keys, self.operations = [], Operations()

    def run(self, key, compute, inputs):
        self.keys.append(key)
        with self.operations:
            return super().run(key, compute, inputs)


@pytest.fixture
def recorded(generator):
    engine = GpuEngine(generator, at_once=8)
    engine._graphs = Recording()
    return engine


def test_a_batch_is_computed_without_a_word_to_the_host(generator, recorded):
    """Else no graph could record it; that can be seen without a GPU."""
    valid = np.random.default_rng(0).random((len(PROMPTS), len(TRIE))) < 0.5
    for options in ({}, {"valid": valid, "min_level1": 3}):
        recorded.search(generator.read(PROMPTS), beam=5, **options)
    called = recorded._graphs.operations.called
    assert {"aten::topk", "aten::searchsorted", "aten::scatter_add"} <= called
    assert not called & FROM_THE_HOST


def test_shapes_are_few(generator, recorded):
    """Of batches of any size, whose prompts have any lengths."""
    reading = generator.read(PROMPTS)
    rng = np.random.default_rng(1)
    for size in (1, 2, 3, 5, 8, 11):
        for _ in range(10):
            recorded.search(reading, beam=3, rows=rng.integers(0, len(PROMPTS), size))
    shapes = recorded._graphs.keys
    assert {shape.prompts for shape in shapes} == {1, 2, 4, 8}
    assert len(shapes) >= 70 and len(set(shapes)) <= 16


def test_filters_of_all_and_of_each_are_other_shapes(generator, recorded):
    reading = generator.read(PROMPTS[:3])
    one, each = np.ones(len(TRIE), np.bool_), np.ones((3, len(TRIE)), np.bool_)
    for valid in (None, one, one[None], each):
        recorded.search(reading, beam=2, valid=valid)
    assert [shape.filters for shape in recorded._graphs.keys] == [0, 1, 1, 4]


def test_half_precision_finds_nearly_the_same(generator):
    """Layers multiply in bfloat16; sums, norms and scores stay what they are."""
    reading = generator.read(PROMPTS)
    expected = ReferenceEngine(generator).search(reading, beam=10)
    found = GpuEngine(generator, dtype=torch.bfloat16).search(reading, beam=10)
    pairs = list(zip(found.leaves, expected.leaves, strict=True))
    assert np.mean([np.isin(one, other).mean() for one, other in pairs]) > 0.9
    np.testing.assert_allclose(found.logprob, expected.logprob, atol=0.1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gpu_replays_what_it_recorded(generator, dtype):
    moved = as_generator(copy.deepcopy(generator.lm).cuda())
    assert isinstance(engine_of(moved), GpuEngine)
    engine, reading = GpuEngine(moved, dtype=dtype, at_once=4), generator.read(PROMPTS)
    atol = 1e-3 if dtype == torch.float32 else 0.1
    for _ in range(2):
        for beam in (1, 6, 30):
            expected = ReferenceEngine(generator).search(reading, beam=beam)
            found = engine.search(reading, beam=beam)
            np.testing.assert_array_equal(found.leaves < 0, expected.leaves < 0)
            np.testing.assert_allclose(found.logprob, expected.logprob, atol=atol)
