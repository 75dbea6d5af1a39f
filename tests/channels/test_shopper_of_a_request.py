"""What a request tells of its shopper: read, refused, or noted."""

import pytest
from trained import open_whole

from genrecall import Request, RequestError, Shopper
from genrecall.channels.shopper import check_shopper
from genrecall.cli.answers import _as_read
from genrecall.generator.history import ShopperSettings
from genrecall.generator.load import QUERY_TO_SID

PAIRS = frozenset({("gender", "female"), ("gender", "male"), ("city", "Bonn")})
READS_ALL = ShopperSettings(PAIRS, history=20)
CATALOG = {"i1", "i2"}


@pytest.mark.parametrize("shopper", [None, Shopper(), Shopper({"gender": "male"}, ["i1"])])
def test_what_is_read_needs_no_note(shopper):
    assert check_shopper(shopper, READS_ALL, CATALOG) == ()


def test_what_changes_nothing_is_noted():
    shopper = Shopper({"gender": "F", "city": "Bonn"}, ["i1", "gone", "i2", "gone too"])
    assert check_shopper(shopper, READS_ALL, CATALOG) == (
        "gender 'F' of the profile is not read; training knew female, male",
        "2 of 4 items of the history are not in the catalog, such as 'gone'",
    )


def test_a_note_names_a_few_values():
    many = frozenset(("city", f"c{n:02}") for n in range(30))
    (note,) = check_shopper(Shopper({"city": "Bonn"}), ShopperSettings(many), CATALOG)
    assert note.endswith("training knew c00, c01, c02, c03, c04, c05, c06, c07, c08, c09, …")


@pytest.mark.parametrize(
    ("shopper", "settings", "message"),
    [
        (
            Shopper({"sex": "f"}),
            READS_ALL,
            "unknown field of a profile 'sex'; known: city, gender.",
        ),
        (Shopper({"gendr": "male"}), READS_ALL, "Did you mean 'gender'?"),
        (
            Shopper({"gender": "male"}),
            ShopperSettings(),
            "this generator reads nothing of shoppers",
        ),
        (Shopper(history=["i1"]), ShopperSettings(), "leave the shopper out"),
        (Shopper(history=["i1"]), ShopperSettings(PAIRS), "this generator reads no history"),
        (
            Shopper({"gender": "male"}),
            ShopperSettings(history=20),
            "this generator was taught no profiles; leave the profile out",
        ),
    ],
)
def test_what_is_never_read_is_refused(shopper, settings, message):
    with pytest.raises(RequestError) as told:
        check_shopper(shopper, settings, CATALOG)
    assert message in str(told.value)


def test_the_doors_of_a_bundle_refuse_it_and_a_ranking_reads_over_it(shop_run):
    bundle = open_whole(shop_run)
    channel = bundle.generative()
    strange = Shopper({"sex": "f"})
    for ask in (
        lambda: channel.recall("drill", user=strange),
        lambda: channel.recall("drill", user={"profile": {"sex": "f"}}),
        lambda: channel.recall_many([Request("drill", strange)]),
        lambda: channel.answer(Request("drill", strange)),
    ):
        with pytest.raises(RequestError, match="this generator was taught no profiles"):
            ask()
    # An evaluation compares generators that read shoppers with others on the same requests.
    assert channel.rank([Request("drill", strange)], 3)
    with pytest.raises(RequestError, match="reads nothing of shoppers"):
        bundle.generative(QUERY_TO_SID).recall("drill", user={"history": ["item-1"]})
    # What the words mean says all: these channels never read a shopper.
    assert bundle.lexical().recall("drill", user=strange) == bundle.lexical().recall("drill")


def test_answers_carry_the_notes(shop_run):
    channel = open_whole(shop_run).generative()
    request = {"query": "drill", "shopper": {"history": ["item-1", "gone"]}}
    note = "1 of 2 items of the history are not in the catalog, such as 'gone'"
    (answer,) = channel.recall_many([request], 3)
    assert answer.notes == (note,)
    assert answer.to_dict()["notes"] == [note]
    assert channel.answer(request, 3).notes == (note,)


def test_of_a_shopper_of_the_tables_only_what_is_read_is_asked():
    shopper = Shopper({"gender": "male", "member": "gold"}, ["i1"])
    assert _as_read(shopper, READS_ALL) == (
        Shopper({"gender": "male"}, ["i1"]),
        ("of the profile member is not read",),
    )
    assert _as_read(shopper, ShopperSettings()) == (shopper, ())
