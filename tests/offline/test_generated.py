"""The generative channel in an evaluation: what it says, and how often it reads."""

import numpy as np
import pytest

from genrecall.bundle import open_bundle
from genrecall.channels.base import Request
from genrecall.channels.generative import GenerativeChannel
from genrecall.data.load import load_shop
from genrecall.data.shoppers import Shopper
from genrecall.evaluate.config import EvaluateConfig
from genrecall.foundation.progress import SilentLog
from genrecall.funnel.config import FusionConfig
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.offline import measure
from genrecall.offline.folds import FoldedChannel
from genrecall.offline.generated import GeneratedAnswers, answer_searches
from genrecall.offline.requests import DistinctRequests, request_key

MIA = Shopper(history=("item-3", "item-7"))
PERSONALISED = [
    Request("red lamp", MIA),
    Request("coffee maker"),
    Request("☂"),
    Request("saw", MIA),
]
ANONYMOUS = [Request("red lamp"), Request("coffee maker"), Request("☂"), Request("saw")]


@pytest.fixture(scope="module")
def bundle(shop_run):
    return open_bundle(shop_run.bundle)


@pytest.fixture
def reads(monkeypatch):
    """Texts and histories of all prompts that generators read."""
    seen = []
    read = CompactGenerator.read

    def counted(generator, prompts):
        seen.extend((prompt.text, prompt.history) for prompt in prompts)
        return read(generator, prompts)

    monkeypatch.setattr(CompactGenerator, "read", counted)
    return seen


def assert_equal_beams(one, other):
    np.testing.assert_array_equal(one.leaves, other.leaves)
    np.testing.assert_allclose(one.logprob, other.logprob, atol=1e-5)


@pytest.mark.parametrize("wide", [4, 9])
def test_it_says_what_the_channel_says_and_reads_once(bundle, reads, wide):
    channel: GenerativeChannel = bundle.generative()
    generated = GeneratedAnswers(FoldedChannel([channel]), 20, {wide: PERSONALISED, 5: ANONYMOUS})
    assert len(generated) == 6
    assert sorted(reads) == sorted(set(reads))
    assert len(reads) == 6
    for requests, width in ((PERSONALISED, wide), (ANONYMOUS, 5), (ANONYMOUS[::-1], 5)):
        for ranking, expected in zip(
            generated.rank(requests, 20), channel.rank(requests, 20), strict=True
        ):
            assert ranking.rows.tolist() == expected.rows.tolist()
            assert_equal_beams(ranking.beams, expected.beams)
        assert_equal_beams(generated.generate(requests, width), channel.generate(requests, width))
        vectors = [read.reading.queries for read in channel.read(requests)]
        np.testing.assert_allclose(generated.encode(requests), np.concatenate(vectors), atol=1e-6)
    assert generated.prompt(PERSONALISED[0]).history == (3, 7)
    assert generated.widest == max(wide, 5)


def test_many_requests_of_one_kind_and_none_of_the_other_in_a_part(bundle):
    """Requests are read in parts; a part may hold none that is searched at some width."""
    many = [Request(f"red lamp {n}") for n in range(150)]
    generated = GeneratedAnswers(
        FoldedChannel([bundle.generative()]), 5, {7: many[:70], 3: many[70:]}
    )
    assert (generated.generate(many[:70], 7).leaves >= 0).any(axis=1).all()
    assert (generated.generate(many[70:], 3).leaves >= 0).all()


def test_controls_answer_what_is_searched_widest(bundle):
    channel = FoldedChannel([bundle.generative()])
    generated = GeneratedAnswers(channel, 5, {7: PERSONALISED, 3: ANONYMOUS}, {"same": channel})
    control = generated.controls["same"]
    for one, other in zip(
        control.rank(PERSONALISED, 5), generated.rank(PERSONALISED, 5), strict=True
    ):
        assert one.rows.tolist() == other.rows.tolist()
    asked = {request_key(request) for request in PERSONALISED}
    unasked = next(request for request in ANONYMOUS if request_key(request) not in asked)
    with pytest.raises(ValueError, match=f"same was not asked .*{unasked.query}"):
        control.rank([unasked], 5)
    with pytest.raises(ValueError, match=f"{unasked.query}.* was not searched with 7 beams"):
        generated.generate([unasked], 7)


def test_nothing_asked_nothing_said(bundle):
    assert len(GeneratedAnswers(FoldedChannel([bundle.generative()]), 5, {3: []})) == 0


@pytest.mark.parametrize("split", ["validation", "test"])
def test_an_evaluation_reads_each_distinct_request_once(bundle, shop_run, reads, split):
    shop = load_shop(shop_run.open_stage("data"))
    config = EvaluateConfig(latency_searches=0, beam=10, curve_beam=20)
    offline = measure.evaluate(
        bundle,
        shop,
        split=split,
        plan=measure.Plan(config, FusionConfig()),
        health={},
        log=SilentLog(),
    )
    stages = bundle.trained
    assert offline.evidence is not None
    personalised = {
        (prompt.text, prompt.history)
        for prompt in map(offline.evidence.generated.prompt, offline.evidence.requests.distinct)
    }
    queries = {query for query, _ in personalised}
    anonymous = {(query, ()) for query in queries}
    # The last stage reads both forms, each earlier one the anonymous form.
    assert len(reads) == len(personalised | anonymous) + (len(stages) - 1) * len(anonymous)
    assert set(reads) == personalised | anonymous


def test_searches_are_answered_as_the_channel_answers_them(bundle):
    channel = bundle.generative()
    asked = [Request(query) for query in ("red drill", "blue lamp", "red drill", "xyzzy")]
    answers = answer_searches(FoldedChannel([channel]), DistinctRequests(asked), 20, 10)
    for ranking, alone in zip(answers.rankings, channel.rank(asked, 20), strict=True):
        np.testing.assert_array_equal(ranking.rows, alone.rows)
    np.testing.assert_array_equal(answers.sids, channel.generate(asked, 10).leaves)


@pytest.fixture(scope="module")
def generated(bundle):
    return GeneratedAnswers(FoldedChannel([bundle.generative()]), 5, {3: ANONYMOUS})


def test_nothing_is_asked_nothing_is_answered(generated):
    assert generated.rank([], 5) == []
    assert generated.generate([], 3).leaves.shape == (0, 3)
    assert generated.encode([]).shape == (0, generated.channel.items.views.shape[1])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda g: g.rank(ANONYMOUS, 6), "k=6, and these answers were made with k=5"),
        (lambda g: g.generate(ANONYMOUS, 4), "beam=4, and these answers were searched with 3"),
        (
            lambda g: g.rank([Request("zzz")], 5),
            r"\('zzz', None, ''\) was not read; .* of 4 others",
        ),
        (lambda g: g.rank([Request("saw", filters={"color": "red"})], 5), "was not read"),
    ],
)
def test_what_was_not_read_is_told(generated, ask, message):
    with pytest.raises(ValueError, match=message):
        ask(generated)


def test_an_evaluation_keeps_the_generator_that_serves_and_no_other(shop_run):
    opened = open_bundle(shop_run.bundle)
    plan = measure.Plan(EvaluateConfig(searches=20, latency_searches=0), FusionConfig())
    shop = load_shop(shop_run.open_stage("data"))
    measure.evaluate(opened, shop, split="validation", plan=plan, health={}, log=SilentLog())
    assert set(opened._models._generators) == {opened.trained[-1]}
