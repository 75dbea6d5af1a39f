"""The compact family: what it does beside what every family promises."""

import dataclasses

import numpy as np
import pytest
import torch
from decoding import search
from trained import TEXTS, load_trained

from genrecall.data.texts import texts_beside
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.generator.compact import following
from genrecall.generator.compact.reader import CompactReader
from genrecall.generator.compact.views import join_views
from genrecall.generator.compact.weights import LevelWeights
from genrecall.generator.prompts import Prompt

PROMPTS = [Prompt(text) for text in TEXTS]


@pytest.fixture(scope="module")
def trained(shop_run):
    return load_trained(shop_run)


def reading_of(generator, prompts):
    reading = generator.read(prompts)
    return reading.state, reading.step


@pytest.fixture(scope="module", params=["trained", "random"])
def generator(request, trained):
    return trained.generator if request.param == "trained" else trained.with_random_weights()


def test_a_narrow_beam_finds_sids_of_the_table_only(generator, trained):
    in_use = {tuple(codes) for codes in trained.parts.items.table.codes.tolist()}
    beams = search(generator, PROMPTS, beam=5, min_level1=2)
    assert (beams.leaves >= 0).all()
    assert {tuple(sid) for sid in trained.trie.sids[beams.leaves].reshape(-1, 3).tolist()} <= in_use


def test_it_learned_which_titles_belong_to_which_sid(trained):
    titles = trained.parts.items.catalog.titles
    beams = search(trained.generator, [Prompt(t) for t in titles], beam=5)
    own = trained.parts.items.table.sid_of_item[:, None]
    assert (beams.leaves == own).any(axis=1).mean() > 0.8


def test_the_stages_differ(shop_run, trained):
    first = load_trained(shop_run, stage="item_to_sid")
    one, other = (g.read(PROMPTS).step for g in (first.generator, trained.generator))
    assert not torch.equal(one, other)


def test_another_sid_space_is_refused(shop_run, trained):
    one, two, three = trained.generator.space.sizes
    table = SidTable(SidSpace((one, two, three + 1)), trained.parts.items.table.codes)
    with pytest.raises(
        ArtifactError,
        match=r"was trained for another SID space than the catalog's \(.*\)\. Run the generator",
    ):
        load_trained(shop_run, items=dataclasses.replace(trained.parts.items, table=table))


def test_its_vectors_of_the_items_are_those_of_their_texts(trained):
    catalog, generator = trained.parts.items.catalog, trained.generator
    titles = catalog.titles
    bags = generator.encoder.tokenizer.bags(titles)
    _, own = CompactReader(generator.weights).texts(bags)
    others = texts_beside(catalog.frame, generator.encoder.beside.fields)
    read = generator.encoder.encode_items(titles, others)
    encoded = join_views(read, own, generator.weights.own_share)
    np.testing.assert_allclose(encoded, trained.views, atol=2e-4)
    np.testing.assert_allclose(np.linalg.norm(trained.views, axis=1), 1.0, atol=1e-3)


@pytest.mark.parametrize("many", [False, True])
def test_codes_that_are_looked_up_say_what_a_product_with_all_says(trained, monkeypatch, many):
    """Also block by block: what is held at a time is bounded."""
    prompts = [Prompt(text) for text in TEXTS]
    whole = trained.search(prompts, beam=9)
    monkeypatch.setattr(following, "_LOOKED_UP", 1e9 if many else 0.0)
    monkeypatch.setattr("genrecall.foundation.blocks._NUMBERS", 100)
    found = trained.search(prompts, beam=9)
    np.testing.assert_array_equal(found.leaves, whole.leaves)
    np.testing.assert_allclose(found.logprob, whole.logprob, atol=1e-5)


def test_other_weights_of_its_parts_need_no_other_model(trained):
    one, other = (
        trained.generator.weighed(LevelWeights.usual(head_weight=weight)) for weight in (0.1, 0.9)
    )
    assert one.policy.model is other.policy.model
    changed = one.with_weights(one.weights)
    assert changed.policy.model is not one.policy.model
    step, again = (of.read(PROMPTS).step for of in (one, other))
    assert not torch.equal(step, again)
