"""What a query is taken to say, in every channel of a bundle and in what it answers."""

import json

import polars as pl
import pytest
from tiny_shop import SETTINGS, write_shop

from genrecall.bundle import open_bundle
from genrecall.channels.base import Request
from genrecall.channels.popularity import PopularityChannel
from genrecall.config import load_config
from genrecall.data.load import load_shop
from genrecall.data.tables import ITEMS
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import SilentLog
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.queries.changes import Change

TYPED, MEANT = "cordles dril red", "cordless drill red"


@pytest.fixture(scope="module")
def bundle(shop_run):
    return open_bundle(shop_run.bundle)


@pytest.fixture(params=["generative", "dense", "lexical"])
def channel(request, bundle):
    return getattr(bundle, request.param)()


def test_every_channel_reads_what_was_meant(channel):
    typed, meant = (channel.recall(query, k=5) for query in (TYPED, MEANT))
    assert [(hit.item_id, hit.score) for hit in typed] == [
        (hit.item_id, hit.score) for hit in meant
    ]
    assert typed


def test_an_answer_tells_what_was_changed(channel):
    (answer,) = channel.recall_many([TYPED], k=2)
    assert answer.query == TYPED
    assert answer.changes == (Change("cordles", "cordless"), Change("dril", "drill"))
    told = answer.to_dict()
    assert told["changes"][0] == {"typed": "cordles", "read": "cordless"}
    (answer,) = channel.recall_many([MEANT], k=2)
    assert "changes" not in answer.to_dict()


def test_an_answer_to_unknown_words_says_so(bundle):
    channel = bundle.generative()
    strange, known = channel.recall_many(["qwzxv plorf", "qwzxv drill"], k=3)
    assert strange.hits
    assert [note for note in strange.notes if note.startswith("no item, and no frequent query, ")]
    assert known.notes == ()


def test_the_log_of_a_query_counts_before_what_it_may_be_a_slip_of(bundle, shop_run):
    searches = load_shop(shop_run.open_stage("data")).searches.of("train")
    known = next(query for query in searches.queries if "drill" in query)
    channel = PopularityChannel(searches, bundle.items, reader=bundle.reader)
    assert known in channel
    slip = known.replace("drill", "drlil")
    assert bundle.reader.read(slip).text != slip
    (one,), (other,) = (channel.rank([Request(query)], 5) for query in (known, slip))
    assert one.rows.tolist() == other.rows.tolist()


def test_words_of_later_items_are_known_at_once(bundle):
    added = {"item_id": "new", "title": "Acme dril stand", "category": ["Tools"]}
    grown = bundle.with_items(pl.DataFrame([dict.fromkeys(ITEMS) | added], schema=ITEMS))
    assert grown.reader.read("dril").changes == ()
    assert bundle.reader.read("dril").text == "drill"
    assert grown.lexical().recall("dril", k=1)[0].item_id == "new"
    assert len(grown.words.fields["title"]) == len(bundle.items) + 1
    assert grown.generative().recall("acme dril stand", k=50)


def test_switched_off_and_with_synonyms(tmp_path):
    synonyms = tmp_path / "synonyms.txt"
    synonyms.write_text("borer => drill\n", "utf-8")
    settings = {"queries": {"spelling": False, "synonyms": "synonyms.txt"}}
    outputs = Outputs(tmp_path / "run")
    evaluate = SETTINGS["evaluate"] | {"searches": 5}
    path = write_shop(tmp_path, settings=settings | {"evaluate": evaluate})
    run(load_config(path), outputs, log=SilentLog())
    bundle = open_bundle(outputs.bundle)
    assert bundle.reader.read(TYPED).text == TYPED
    assert bundle.reader.read("red borer").text == "red drill"
    assert str(tmp_path) not in json.dumps(bundle.stages["queries"].read_json("queries.json"))
    synonyms.write_text("borer\n", "utf-8")
    with pytest.raises(ConfigError, match=r"synonyms\.txt, line 1: 'borer' is no rule"):
        run(load_config(path), outputs, log=SilentLog())
    assert open_bundle(outputs.bundle).reader.read("red borer").text == "red drill"
