import numpy as np
import polars as pl
import pytest

from genrecall.data.shoppers import Shopper, Shoppers, choices_of, profiles_of
from genrecall.data.tables import CHOICES, ITEMS, SEARCHES, USERS, Catalog, Searches
from genrecall.foundation.errors import DataError, RequestError

USER_ROWS = [
    {"user_id": "ann", "gender": "f", "age_band": "25-34", "attributes": [
        {"key": "member", "value": ["gold"]}, {"key": "city", "value": ["Rome", "Bonn", "Rome"]},
    ]},
    {"user_id": "bob", "gender": None, "age_band": " ", "attributes": None},
    {"user_id": "cem", "gender": "m", "attributes": [{"key": "city", "value": ["Bonn"]}]},
]  # fmt: skip
CHOICE_ROWS = [
    ("ann", 1, "a"), ("ann", 3, "b"), ("ann", 3, "a"), ("ann", 5, "c"), ("dan", 2, "b"),
]  # fmt: skip


@pytest.fixture
def users():
    return pl.DataFrame(USER_ROWS, schema=USERS)


@pytest.fixture
def shoppers(users):
    return Shoppers(users, pl.DataFrame(CHOICE_ROWS, schema=CHOICES, orient="row"))


def searches(rows):
    """Searches from `(user_id, time, positives)`."""
    frame = pl.DataFrame(rows, schema=["user_id", "time", "positives"], orient="row")
    return Searches(
        frame.with_columns(
            pl.lit(None).alias(name) for name in SEARCHES if name not in frame.columns
        ).select(pl.col(name).cast(dtype) for name, dtype in SEARCHES.items())
    )


def test_a_shopper_has_a_profile_and_a_history(shoppers):
    ann = shoppers.at("ann", limit=None)
    assert ann.profile == (
        ("gender", "f"), ("age_band", "25-34"),
        ("city", "Bonn"), ("city", "Rome"), ("member", "gold"),
    )  # fmt: skip
    assert ann.history == ("b", "a", "c")
    assert shoppers.at("bob", limit=None) == Shopper()
    assert shoppers.at("dan", limit=None) == Shopper(history=("b",))
    assert shoppers.at("eve", limit=None) == Shopper()


def test_a_history_ends_before_the_time_asked_for(shoppers):
    def history(before, limit=None):
        return shoppers.at("ann", before=before, limit=limit).history

    assert history(0) == history(1) == ()
    assert history(2) == history(3) == ("a",)
    assert history(5) == ("b", "a")
    assert history(5, limit=1) == ("a",)
    assert history(6, limit=2) == ("a", "c")
    assert history(6, limit=0) == ()


def test_shoppers_are_those_with_a_profile_or_a_choice(shoppers):
    assert len(shoppers) == 4
    assert {name for name in ("ann", "bob", "cem", "dan", "eve") if name in shoppers} == {
        "ann", "bob", "cem", "dan"
    }  # fmt: skip
    assert len(Shoppers(None, None)) == 0


def test_shoppers_come_back_from_disk(shoppers, users, tmp_path):
    shoppers.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["choices.parquet", "users.parquet"]
    back = Shoppers.load(tmp_path)
    assert back.users.equals(shoppers.users)
    assert back.choices.equals(shoppers.choices)
    only = tmp_path / "only"
    only.mkdir()
    Shoppers(users, None).write(only)
    assert Shoppers.load(only).at("ann", limit=9).history == ()
    (only / "users.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"users.parquet cannot be read"):
        Shoppers.load(only)
    (only / "users.parquet").unlink()
    with pytest.raises(DataError, match=r"tells of no shopper: it has neither users.parquet nor"):
        Shoppers.load(only)


def test_choices_are_the_relevant_items_of_searches_that_tell_who_and_when():
    catalog = Catalog(pl.DataFrame([{"item_id": i, "title": i} for i in "abc"], schema=ITEMS))
    chosen = choices_of(
        searches([
            ("v", 4, [0]),
            ("u", 9, [2]),
            ("u", 3, [1, 0]),  # the best first: it stands last in the history
            (None, 1, [0]),
            ("u", None, [0]),
            ("u", 5, []),
        ]),
        catalog,
    )  # fmt: skip
    assert chosen.schema == pl.Schema(CHOICES)
    assert chosen.rows() == [("u", 3, "a"), ("u", 3, "b"), ("u", 9, "c"), ("v", 4, "a")]
    assert choices_of(searches([("u", 5, [])]), catalog).schema == pl.Schema(CHOICES)


def test_profiles_of_many_searches_are_those_of_their_shoppers(shoppers, users):
    asked = pl.Series(["cem", None, "ann", "eve", "bob", "ann"])
    profiles = profiles_of(users, asked)
    assert list(profiles.vocabulary) == sorted(set(profiles.vocabulary))
    for search, user in enumerate(asked):
        first, end = profiles.offsets[search : search + 2]
        found = tuple(profiles.vocabulary[pair] for pair in profiles.pairs[first:end])
        assert found == shoppers.at(user or "", limit=0).profile


def test_profiles_hold_what_enough_of_those_who_searched_have(users):
    # Ann searched often and is still one shopper.
    profiles = profiles_of(users, pl.Series(["ann", "cem", "ann", "ann"]), least=2)
    assert (profiles.vocabulary, profiles.rare) == ((("city", "Bonn"),), 5)
    assert (profiles.pairs.tolist(), profiles.offsets.tolist()) == ([0] * 4, [0, 1, 2, 3, 4])
    alone = profiles_of(users, pl.Series(["cem"]))
    assert (alone.vocabulary, alone.rare) == ((("city", "Bonn"), ("gender", "m")), 0)
    assert profiles_of(users, pl.Series(["cem"]), least=2).vocabulary == ()
    nobody = profiles_of(None, pl.Series([None, "ann"], dtype=pl.String))
    assert (nobody.pairs.tolist(), nobody.offsets.tolist(), nobody.vocabulary) == (
        [],
        [0, 0, 0],
        (),
    )


@pytest.mark.parametrize(
    ("profile", "pairs"),
    [
        ((), ()),
        ({}, ()),
        ({"gender": "female"}, (("gender", "female"),)),
        (
            {"city": ["Mainz", "Bonn"], "age_band": "25-34", "gender": "female"},
            (("gender", "female"), ("age_band", "25-34"), ("city", "Bonn"), ("city", "Mainz")),
        ),
        ((("city", "Bonn"), ["gender", "male"]), (("gender", "male"), ("city", "Bonn"))),
        ({"gender": None, "city": " ", "member": True}, (("member", "true"),)),
        (
            {"visits": np.int64(3), "member": np.bool_(False)},
            (("member", "false"), ("visits", "3")),
        ),
    ],
)
def test_a_profile_may_be_given_as_a_mapping(profile, pairs):
    assert Shopper(profile=profile).profile == pairs
    assert Shopper.of({"profile": profile}) == Shopper(profile)


def test_a_profile_stands_in_the_order_of_the_tables(shoppers):
    ann = shoppers.at("ann", limit=None)
    assert Shopper(reversed(ann.profile), ann.history) == ann
    told = {"member": "gold", "city": ["Rome", "Bonn"], "age_band": "25-34", "gender": "f"}
    assert Shopper(told, ann.history) == ann


@pytest.mark.parametrize("history", [["i1", "i2"], ("i1", "i2"), np.array(["i1", "i2"])])
def test_a_history_may_be_given_as_any_list(history):
    assert Shopper(history=history) == Shopper(history=("i1", "i2"))
    assert Shopper(history=pl.Series(history)).history == ("i1", "i2")
    assert Shopper(history=[" i1", "i2\n"]).history == ("i1", "i2")
    assert all(type(item) is str for item in Shopper(history=history).history)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"history": "i1"}, r"history='i1' is not a list of texts; give one, .*\['i1', 'i2'\]"),
        ({"history": None}, "history=None is not a list of texts"),
        ({"history": {"i1": 1}}, "history=.* is not a list of texts"),
        ({"history": ["i1", 2]}, "history holds 2, which is not text"),
        ({"profile": "female"}, "profile='female' does not tell fields and their values"),
        ({"profile": None}, "profile=None does not tell fields and their values"),
        ({"profile": ["gender"]}, r"give a mapping, such as \{'gender': 'female'\}"),
        ({"profile": {1: "female"}}, "does not tell fields and their values"),
        ({"profile": {"gender": {"is": "female"}}}, "the profile's gender is .*; give a text"),
    ],
)
def test_a_shopper_of_other_types_is_refused(given, message):
    with pytest.raises(RequestError, match=message):
        Shopper(**given)
    with pytest.raises(RequestError, match=message):
        Shopper.of(given)
