"""A small shop that encoders are trained on."""

import numpy as np

from genrecall.data.pairs import LoggedPairs
from genrecall.embed.config import InDomainConfig, SubwordConfig
from genrecall.embed.training.two_tower import train_in_domain, train_tokenizer
from genrecall.embed.views import Views
from genrecall.foundation.progress import SilentLog
from genrecall.learning.checkpoint import Checkpoints

KINDS = ("drill", "hammer", "lamp", "kettle", "sofa", "tent")
COLORS = ("red", "blue", "green", "black")
BRANDS = ("acme", "bolt")

TITLES = [f"{brand} {color} {kind}" for kind in KINDS for color in COLORS for brand in BRANDS]
NICKNAMES = {"kettle": "teapot", "sofa": "couch"}  # words that stand in no title
QUERIES = [f"{color} {nickname}" for nickname in NICKNAMES.values() for color in COLORS]

SUBWORDS = SubwordConfig(vocabulary=300, pair_buckets=64)
CONFIG = InDomainConfig(width=32, dim=16, steps=100, batch=64, learning_rate=5e-3)


def logged_pairs():
    """Relevant to each query are the two brands' items of its color and kind."""
    pairs = [
        (number, row)
        for number, query in enumerate(QUERIES)
        for row, title in enumerate(TITLES)
        if query.split()[0] in title and query.split()[1] == NICKNAMES.get(title.split()[2])
    ]
    query, item = np.array(pairs, dtype=np.int64).T
    return LoggedPairs(query=query, item=item, weight=np.ones(len(pairs)))


def no_pairs():
    empty = np.empty(0, dtype=np.int64)
    return LoggedPairs(query=empty, item=empty, weight=np.empty(0))


def train(
    config=CONFIG,
    *,
    titles=TITLES,
    queries=QUERIES,
    pairs=None,
    seed=0,
    checkpoints=None,
    log=None,
):
    """A view that is trained, alone."""
    titles, queries = list(titles), list(queries)
    tokenizer = train_tokenizer(SUBWORDS, titles=titles, queries=queries)
    view = train_in_domain(
        config,
        tokenizer=tokenizer,
        titles=titles,
        queries=queries,
        pairs=logged_pairs() if pairs is None else pairs,
        seed=seed,
        checkpoints=Checkpoints(checkpoints, every=0),
        log=log or SilentLog(),
    )
    return Views(tokenizer, {"in_domain": view}, {"in_domain": 1.0})
