"""How often the generative channel reads a request."""

import pytest
from trained import open_whole

from genrecall.channels.base import Request
from genrecall.channels.config import GenerativeConfig
from genrecall.channels.generative import GenerativeChannel
from genrecall.foundation import text_encoder
from genrecall.generator.load import STAGES

QUERIES = ["red cordless drill", "coffee maker", "shoes", "blue lamp", "Acme", "drill xyzzy"]


@pytest.fixture(scope="module")
def parts(shop_run):
    return open_whole(shop_run)


class CountedReads:
    """A generator that counts the prompts that it reads."""

    def __init__(self, generator):
        self._generator, self.reads = generator, []

    def __getattr__(self, name):
        return getattr(self._generator, name)

    def read(self, prompts):
        self.reads += [prompt.text for prompt in prompts]
        return self._generator.read(prompts)


def counted(parts, **settings):
    """A channel, and the texts that it reads and that its encoders encode."""
    generator = CountedReads(parts.generative().generator)
    return GenerativeChannel(generator, GenerativeConfig(**settings)), generator.reads


def test_a_request_is_read_once_however_wide_it_is_searched(parts):
    channel, reads = counted(parts, beam=1, max_beam=1000)
    (ranking,) = channel.rank([Request("red cordless drill")], 60)
    assert ranking.beams.width >= 8
    assert reads == ["red cordless drill"]


def test_an_explained_answer_reads_once(parts):
    channel, reads = counted(parts)
    channel.answer(Request("coffee maker"), 10)
    assert reads == ["coffee maker"]


def test_each_request_of_a_batch_is_read_once(parts):
    channel, reads = counted(parts, beam=1)
    requests = [Request(f"{query} {n}") for query in QUERIES for n in range(20)]
    channel.rank(requests, 40)
    assert reads == [request.query for request in requests]


@pytest.mark.parametrize("stage", STAGES)
def test_reading_passes_every_encoder_once(parts, stage, monkeypatch):
    channel = parts.generative(stage)
    passed, means = [], text_encoder.bag_means

    def counted(table, *bags):
        passed.append(table)
        return means(table, *bags)

    monkeypatch.setattr(text_encoder, "bag_means", counted)
    channel.answer(Request("red cordless drill"), 60)
    own = channel.generator.weights.arrays[text_encoder.TABLE]
    first = parts.encoder.views["in_domain"].weights[text_encoder.TABLE]
    assert [any(table is of for table in passed) for of in (own, first)] == [True, True]
    assert len(passed) == 2
