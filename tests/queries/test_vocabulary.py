"""What is counted of words: of items at once or later, of queries, in one order."""

import os
import subprocess
import sys

import polars as pl
import pytest

from genrecall.queries.spelling import Speller
from genrecall.queries.vocabulary import Vocabulary

TITLES = ["Door knob, satin nickel"] * 9 + ["Light bulb"] * 9


GLASS = ["Glass vase"] * 800 + ["Teak bench"] * 300
COLOURS = ["Moen Teal"] * 800 + ["Acme brown"] * 300


@pytest.mark.parametrize("calls", [0, 1, 40])
def test_a_word_that_items_have_beside_their_titles_is_no_slip(calls):
    """However often the same brand and colour stand there, and whenever the items came."""
    if not calls:
        words = Vocabulary.learn(GLASS, (), names=COLOURS, stemmer="plural")
    else:
        words = Vocabulary.learn(["Moon lamp"] * 40, (), stemmer="plural")
        for first in range(calls):
            words = words.with_items(GLASS[first::calls], (), COLOURS[first::calls])
    speller = Speller(words)
    assert speller.correct("teal vase") == ("teal vase", [])
    assert speller.correct("moen teak") == ("moen teak", [])
    assert speller.correct("moem teak")[0] == "moen teak"
    assert words.words["teal"] == ("teal", 800, 0, 0)


def test_neighbours_of_items_that_came_later_count():
    titles = ["Tall plant stand"] * 30
    at_once = Vocabulary.learn([*TITLES, *titles], (), stemmer="plural")
    one_by_one = Vocabulary.learn(TITLES, (), stemmer="plural")
    for title in titles:
        one_by_one = one_by_one.with_items([title])
    for words in (at_once, one_by_one):
        assert words.pair("plant", "stand") == 30
        assert Speller(words).correct("plantstand")[0] == "plant stand"


def test_what_a_single_shopper_typed_is_not_kept():
    queries = ["john q public", "my number 5551234", "drill qwx", "saw qwx", "lamp qwx"]
    words = Vocabulary.learn(TITLES, queries, stemmer="plural").words
    assert "qwx" in words
    assert not {"john", "public", "5551234", "number"} & set(words)


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_words_are_written_in_one_order(seed, tmp_path):
    code = """
import sys
from pathlib import Path
from genrecall.queries.vocabulary import Vocabulary
titles = ["red oak door with brass knob", "blue door with knob"] * 3
Vocabulary.learn(titles, ["red door knob"] * 2, stemmer="plural").save(Path(sys.argv[1]))
"""
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        check=True,
        env=os.environ | {"PYTHONHASHSEED": seed},
    )
    pairs = pl.read_parquet(tmp_path / "pairs.parquet").rows()
    words = pl.read_parquet(tmp_path / "words.parquet")["stem"].to_list()
    assert words == ["red", "oak", "door", "with", "brass", "knob", "blue"]
    named = [(words[first], words[second]) for first, second, _ in pairs]
    assert named == [
        ("red", "oak"),
        ("oak", "door"),
        ("door", "with"),
        ("with", "brass"),
        ("brass", "knob"),
        ("blue", "door"),
        ("with", "knob"),
        ("red", "door"),
        ("door", "knob"),
    ]
