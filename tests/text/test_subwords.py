import hashlib
import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.ragged import Bags, join_bags, ragged_offsets
from genrecall.text.normalize import normalize, query_key, read_words, stem
from genrecall.text.subwords import SubwordTokenizer

TEXTS = ["Red Acme drill 18V", "red drills", "blue acme saw", "saw blade 3/4 in.", "drill bit"] * 3


def train(texts=TEXTS, *, pair_buckets=50, stemmer="plural"):
    return SubwordTokenizer.train(texts, vocabulary=300, pair_buckets=pair_buckets, stemmer=stemmer)


TOKENIZER = train()
words = st.sampled_from([*"abdr38", "drill", "drills", "red", "acme", "18v", "日本", "&", "…"])
texts = st.lists(st.lists(words, max_size=6).map(" ".join), max_size=6)


def bag(bags, i):
    return bags.ids[bags.offsets[i] : bags.offsets[i + 1]].tolist()


def slow_bag(tokenizer, text):
    """Subwords of each known word, then the pairs of neighbours, one text alone."""
    known = [w for w in normalize(text).split() if len(tokenizer.words([w]))]
    alone = [tokenizer.words([word]) for word in known]
    alone = [word for word in alone if len(word.hashes)]
    pieces = [piece for word in alone for piece in word.pieces.tolist()]
    hashes = [int(word.hashes[0]) for word in alone]
    pairs = [
        tokenizer.n_subwords + (left * 1_000_003 + right) % tokenizer.pair_buckets
        for left, right in pairwise(hashes)
        if tokenizer.pair_buckets
    ]
    return pieces + pairs


@pytest.mark.parametrize("pair_buckets", [0, 50])
@given(texts=texts)
def test_bags_hold_the_subwords_and_pairs_of_their_own_text(pair_buckets, texts):
    tokenizer = SubwordTokenizer(TOKENIZER._bpe, pair_buckets=pair_buckets, stemmer="plural")
    bags = tokenizer.bags(texts)
    assert bags.ids.dtype == bags.offsets.dtype == np.int64
    assert len(bags.offsets) == len(texts) + 1
    assert bags.offsets[0] == 0
    assert bags.offsets[-1] == len(bags.ids)
    for i, text in enumerate(texts):
        assert bag(bags, i) == slow_bag(tokenizer, text)


@given(texts=texts)
def test_bags_of_many_texts_are_cut_block_by_block(texts):
    whole = TOKENIZER.bags(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genrecall.foundation.blocks._ROWS", 2)
        blocks = TOKENIZER.bags(texts)
    assert blocks.ids.tolist() == whole.ids.tolist()
    assert blocks.offsets.tolist() == whole.offsets.tolist()


@given(texts)
def test_a_batch_of_texts_is_cut_like_each_alone(texts):
    bags = TOKENIZER.bags(texts)
    for i, text in enumerate(texts):
        assert bag(bags, i) == bag(TOKENIZER.bags([text]), 0)


@given(texts, st.data())
def test_gathered_words_make_the_bags_of_texts_made_of_them(texts, data):
    cut = TOKENIZER.words(texts)
    n_words = len(cut.hashes)
    number = st.integers(0, max(n_words - 1, 0))
    chosen = data.draw(st.lists(st.lists(number, max_size=4 if n_words else 0), max_size=4))
    spelled = [
        word
        for text in texts
        for word in normalize(text).split()
        if len(TOKENIZER.words([word]).hashes)
    ]
    flat = np.array([word for part in chosen for word in part], dtype=np.int64)
    gathered = TOKENIZER.gather(cut, flat, ragged_offsets([len(part) for part in chosen]))
    expected = TOKENIZER.bags([" ".join(spelled[word] for word in part) for part in chosen])
    assert gathered.ids.tolist() == expected.ids.tolist()
    assert gathered.offsets.tolist() == expected.offsets.tolist()


def test_features_lie_inside_the_table():
    bags = TOKENIZER.bags(["red acme drill saw blade bit 18 v", "zzz 9999 qqq"])
    assert bags.ids.min() >= 0
    assert bags.ids.max() < TOKENIZER.n_features == TOKENIZER.n_subwords + 50
    assert (bags.ids >= TOKENIZER.n_subwords).any()


@pytest.mark.parametrize("text", ["", "  ", "...", "日本語", "Ω Ω"])
def test_a_text_without_a_known_letter_has_no_feature(text):
    assert bag(TOKENIZER.bags(["drill", text, "red"]), 1) == []
    assert len(TOKENIZER.words([text]).hashes) == 0


def test_unknown_letters_do_not_hide_known_words():
    assert bag(TOKENIZER.bags(["red 日本 drill"]), 0) == bag(TOKENIZER.bags(["red drill"]), 0)


def test_no_text_gives_no_bag():
    bags = TOKENIZER.bags([])
    assert (len(bags.ids), bags.offsets.tolist()) == (0, [0])


def test_forms_of_a_word_share_their_features_only_with_a_stemmer():
    kept = train(stemmer="none")
    assert bag(TOKENIZER.bags(["drills"]), 0) == bag(TOKENIZER.bags(["drill"]), 0)
    assert bag(kept.bags(["drills"]), 0) != bag(kept.bags(["drill"]), 0)


def test_word_order_is_told_by_pairs():
    one, other = (bag(TOKENIZER.bags([text]), 0) for text in ("saw blade", "blade saw"))
    assert sorted(one) != sorted(other)


def test_what_is_saved_reads_back(tmp_path):
    TOKENIZER.save(tmp_path / "subwords.json")
    settings = {"pair_buckets": 50, "stemmer": "plural", "run_buckets": 0}
    read = SubwordTokenizer.load(tmp_path / "subwords.json", **settings)
    for one, other in zip(read.bags(TEXTS), TOKENIZER.bags(TEXTS), strict=True):
        assert one.tolist() == other.tolist()
    assert read.n_features == TOKENIZER.n_features


TRAIN_AND_HASH = """
import hashlib, sys
from pathlib import Path
from genrecall.text.subwords import SubwordTokenizer
texts = [f"{a}{b}{c} {c}{a}" for a in "abcde" for b in "fghij" for c in "klmno"]
tokenizer = SubwordTokenizer.train(texts, vocabulary=256, pair_buckets=8, stemmer="plural")
tokenizer.save(Path(sys.argv[1]))
"""


def test_the_same_texts_give_the_same_bytes_in_every_process(tmp_path):
    """Many merges of these texts are equally frequent, so that an unstable order would show."""
    digests = set()
    for seed in ("0", "1"):
        path = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", TRAIN_AND_HASH, str(path)],
            env=os.environ | {"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": str(1 + int(seed))},
            check=True,
        )
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


@given(texts, texts)
def test_joined_bags_are_those_of_all_texts(first, second):
    joined = join_bags(TOKENIZER.bags(first), TOKENIZER.bags(second))
    expected = TOKENIZER.bags([*first, *second])
    assert isinstance(joined, Bags)
    assert joined.ids.tolist() == expected.ids.tolist()
    assert joined.offsets.tolist() == expected.offsets.tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [("drill bits", "Drill-Bit"), ("saw blades 18v", "SAW blade 18 volts"), ("red", " RED ")],
)
def test_queries_of_one_key_have_one_input(one, other):
    assert query_key(one) == query_key(other)
    assert bag(TOKENIZER.bags([one]), 0) == bag(TOKENIZER.bags([other]), 0)
    assert query_key("blade saw") != query_key("saw blade")


@given(texts, texts)
def test_without_a_stemmer_queries_with_one_input_are_never_of_two_keys(ones, others):
    """A key may be coarser than what the models read, never finer."""
    for one in ones:
        for other in others:
            if read_words(one, "none") == read_words(other, "none"):
                assert query_key(one) == query_key(other)


def with_runs(buckets=100):
    return SubwordTokenizer(TOKENIZER._bpe, pair_buckets=50, stemmer="plural", run_buckets=buckets)


@given(texts=texts)
def test_queries_have_the_features_of_titles_and_runs_of_letters(texts):
    tokenizer = with_runs()
    titles, queries = tokenizer.bags(texts), tokenizer.bags(texts, typed=True)
    first = tokenizer.n_subwords + tokenizer.pair_buckets
    for n, text in enumerate(texts):
        asked = np.array(bag(queries, n), dtype=np.int64)
        assert asked[asked < first].tolist() == bag(titles, n)
        known = [stem(word, "plural") for word in tokenizer.known_words([text])]
        assert (asked >= first).sum() == sum(len(word) for word in known if len(word) >= 4)
    assert max(titles.ids.tolist(), default=0) < first
    assert max(queries.ids.tolist(), default=0) < tokenizer.n_features


def test_words_that_are_spelt_alike_share_runs():
    tokenizer = with_runs(10_000)
    runs = {w: set(tokenizer.cut([w])[0].runs) for w in ("drill", "drlil", "drills", "saw")}
    assert runs["drill"] == runs["drills"]  # one stem
    assert 0 < len(runs["drill"] & runs["drlil"]) < len(runs["drill"])
    assert not runs["saw"]  # too short


def test_words_have_the_same_numbers_in_titles_and_queries():
    tokenizer = with_runs()
    titles, queries = (tokenizer.words(TEXTS, typed=typed) for typed in (False, True))
    assert titles.word_offsets.tolist() == queries.word_offsets.tolist()
    assert titles.hashes.tolist() == queries.hashes.tolist()
