"""Which items of a history a generator reads."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tiny_shop import SETTINGS, write_jsonl, write_shop

from genrecall.channels.base import Request
from genrecall.channels.config import ChannelsConfig
from genrecall.config import load_config
from genrecall.data.histories import shoppers_at
from genrecall.data.load import load_shop
from genrecall.data.shoppers import HISTORY, Shopper
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.ragged import make_bags
from genrecall.generator.config import GeneratorConfig
from genrecall.generator.history import RelatedCategories, ShopperSettings
from genrecall.generator.prompts import Prompt
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.pipeline.stages import open_made
from genrecall.supervised import stage as generator_stage
from genrecall.supervised.shoppers import known_shoppers

# Four categories along the axes of a plane and one, number 3, without an item.
CATEGORY = np.array([0, 0, 1, 2, 4])
VECTORS = np.array([[1, 0.1], [1, -0.1], [0, 1], [-1, 0], [0, -1]], dtype=np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
QUERIES = {
    "east": [1, 0],
    "north-east": [0.6, 0.8],
    "south-west": [-0.8, -0.6],
    "unknown": [0, 0],
}


def encode(texts):
    return np.array([QUERIES[text] for text in texts], dtype=np.float32)


def rule(count, *, length=20, pairs=()):
    settings = ShopperSettings(frozenset(pairs), history=length, related_categories=count)
    return settings.over(VECTORS, CATEGORY)


def read(count, query, history, **settings):
    prompt = Prompt(query, history=tuple(history))
    return rule(count, **settings).read([prompt], encode([query]))[0].history


@pytest.mark.parametrize(
    ("count", "related"),
    [
        (1, {"east": [0], "north-east": [1], "south-west": [2]}),
        (2, {"north-east": [0, 1], "south-west": [2, 4]}),
        (3, {"east": [0, 1, 4]}),
        (4, {"east": [0, 1, 2, 4], "south-west": [0, 1, 2, 4]}),
    ],
)
def test_the_nearest_categories_are_related(count, related):
    found = RelatedCategories(VECTORS, CATEGORY, count=count).of(encode(list(related)))
    assert [np.flatnonzero(row).tolist() for row in found] == list(related.values())


def test_more_categories_than_there_are_relate_all_that_have_items():
    related = RelatedCategories(VECTORS, CATEGORY, count=99).of(encode(["east"]))
    assert related[0, CATEGORY].all()


def test_a_query_without_a_known_word_is_related_to_all():
    related = RelatedCategories(VECTORS, CATEGORY, count=1).of(encode(["unknown"]))
    assert related[0, CATEGORY].all()


def test_related_items_are_read_in_their_order_and_no_others():
    assert read(1, "east", [4, 1, 2, 0, 3]) == (1, 0)
    assert read(2, "south-west", [4, 1, 2, 0, 3]) == (4, 3)
    assert read(1, "north-east", [0, 1]) == ()
    assert read(1, "unknown", [4, 1, 2]) == (4, 1, 2)


def test_the_latest_of_the_related_ones_are_read_from_behind_others():
    assert read(1, "east", [0, 2, 1, 3, 4, 3], length=1) == (1,)
    assert read(0, "east", [0, 2, 1, 3, 4, 3], length=2) == (4, 3)
    assert read(1, "east", [0, 1], length=0) == ()


def test_only_so_many_are_looked_through():
    assert read(1, "east", [0, 1] + [2] * (HISTORY - 1)) == (1,)
    assert GeneratorConfig(history=HISTORY).history == HISTORY
    with pytest.raises(ValidationError, match="less than or equal to 200"):
        GeneratorConfig(history=HISTORY + 1)


def test_of_a_profile_is_read_what_was_taught():
    taught = [("member", "gold"), ("gender", "female")]
    told = [Prompt("east", profile=(("gender", "female"), ("city", "Bonn"), ("member", "gold")))]
    (read,) = rule(0, pairs=taught).read(told, encode(["east"]))
    assert read.profile == (("gender", "female"), ("member", "gold"))
    assert rule(0).read(told, encode(["east"])) == [Prompt("east")]


@given(
    st.lists(
        st.tuples(st.sampled_from(list(QUERIES)), st.lists(st.integers(0, 4), max_size=6)),
        max_size=8,
    ),
    st.integers(0, 5),
    st.integers(0, 4),
)
def test_many_histories_are_cut_like_each_alone(searches, count, length):
    queries = [query for query, _ in searches]
    histories = make_bags([history for _, history in searches])
    distinct = list(dict.fromkeys(queries))
    place = np.array([distinct.index(query) for query in queries], dtype=np.int64)
    vectors = encode(distinct).reshape(-1, 2)
    chosen = rule(count, length=length).choose(histories, vectors, place)
    expected = [read(count, query, history, length=length) for query, history in searches]
    cuts = chosen.offsets.tolist()
    assert [tuple(chosen.ids[a:b].tolist()) for a, b in itertools.pairwise(cuts)] == expected


def prompts_read(channel, requests):
    """What the generator of a channel reads of requests."""
    return [prompt for read in channel.read(requests) for prompt in read.reading.prompts]


FAMILIES = {
    "compact": {},
    "lm": {"family": "lm", "lm": {"vocabulary": 512, "device": "cpu"}},
}
SHORT = {"steps": 1, "batch": 16}
STEPS = {"item_to_sid": SHORT, "query_to_sid": SHORT, "user_query_to_sid": SHORT}
READS = {"history": 3, "related_categories": 2}
GENDER = ("gender", "female")
MAIL = "@shoppers.example"


def users():
    """The 17 shoppers of the tiny shop: each has a mail address of their own."""
    return [
        {
            "user_id": f"shopper-{number}",
            "gender": "female" if number % 2 else None,
            "age_band": "25-34" if number < 4 else None,
            "email": f"number{number}{MAIL}",
        }
        for number in range(17)
    ]


def config_of(folder, generator):
    """The config of the tiny shop with its users."""
    file = write_jsonl(folder / "users.jsonl", users()).name
    table = {"file": file, "columns": {"attributes": {"email": "email"}}}
    settings = {"generator": generator}
    return load_config(write_shop(folder, data={"users": table}, settings=settings))


@pytest.fixture(scope="module", params=FAMILIES)
def trained(request, tmp_path_factory):
    """The stages of a small shop, and what its stage 3 knew of shoppers."""
    folder = tmp_path_factory.mktemp(request.param)
    generator = SETTINGS["generator"] | STEPS | READS | FAMILIES[request.param]
    outputs = Outputs(folder / "run")
    taught = []

    def keep(*given, **settings):
        taught.append(known_shoppers(*given, **settings))
        return taught[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator_stage, "known_shoppers", keep)
        run(config_of(folder, generator), outputs, log=SilentLog())
    return open_made(outputs, ChannelsConfig()), taught[0], outputs


def test_what_few_shoppers_have_is_neither_learned_nor_kept(trained):
    _, known, outputs = trained
    assert (known.pairs, known.rare) == ((GENDER,), 1 + 17)
    assert "1 profile values, 18 more are left out, as too few shoppers have them" in (
        known.describe()
    )
    kept = [file.read_bytes() for file in outputs.bundle.rglob("*") if file.is_file()]
    assert any(b"female" in written for written in kept)
    assert not any(MAIL.encode() in written or b"25-34" in written for written in kept)


def test_profiles_can_be_left_unread(tmp_path):
    generator = SETTINGS["generator"] | STEPS | {"profile": False}
    outputs = Outputs(tmp_path / "run")
    run(config_of(tmp_path, generator), outputs, last="align", log=SilentLog())
    made = outputs.open_stage("generator")
    assert made.read_json("shopper.json")["pairs"] == []


def test_training_and_serving_read_the_same(trained):
    parts, known, _ = trained
    shop, catalog = load_shop(parts.stages["data"]), parts.items.catalog
    made_by = shoppers_at(shop, shop.searches.of("train"), "train", length=HISTORY)
    told = [replace(shopper, profile=(*shopper.profile, ("city", "Bonn"))) for shopper in made_by]
    queries = shop.searches.of("train").queries
    requests = [Request(*asked) for asked in zip(queries, told, strict=True)]
    asked = [Prompt(query) for query in queries]
    expected = known.personalise(asked, known.histories, known.profiles)
    assert prompts_read(parts.generative(), requests) == expected
    assert {prompt.profile for prompt in expected} == {(), (GENDER,)}
    # The rule has chosen: some have read less than the latest, and few nothing.
    latest = [tuple(catalog.row_of[item] for item in shopper.history[-3:]) for shopper in told]
    read = [prompt.history for prompt in expected]
    assert read != latest
    assert sum(map(len, read)) > len(read)


def test_each_item_of_a_history_is_read_once_where_it_was_chosen_last(trained):
    parts, _, _ = trained
    channel = parts.generative()
    query = "xyzzy"  # no known word: related to all
    items = ("item-5", "item-3", "item-3", "gone", "item-8", "item-5")
    (prompt,) = prompts_read(channel, [Request(query, Shopper(history=items))])
    row_of = channel.items.catalog.row_of
    assert prompt.history == (row_of["item-3"], row_of["item-8"], row_of["item-5"])


def test_before_stage_3_nothing_is_read(trained):
    parts, _, _ = trained
    request = Request("red table lamp", Shopper((GENDER,), ("item-1",)))
    channel = parts.generative("query_to_sid")
    assert prompts_read(channel, [request]) == [Prompt("red table lamp")]
