"""A tiny shop of texts and SIDs, and language models small enough to train in a test."""

import dataclasses

import numpy as np
from channel_shop import encode, shop_of

from genrecall.foundation.artifact import open_artifact, writing
from genrecall.foundation.sid import Sid, SidSpace, SidTable
from genrecall.foundation.trie import Trie
from genrecall.generator.history import ShopperSettings
from genrecall.generator.lm.config import LmConfig
from genrecall.generator.lm.generator import LmGenerator
from genrecall.generator.lm.model import LmModel
from genrecall.generator.prompts import Prompt, write_prompt
from genrecall.supervised.lm.training import PromptBatch

SPACE = SidSpace((5, 4, 6))
NOUNS = ("drill", "saw", "hammer", "ladder", "lamp", "hose", "rake", "paint")
WORDS = ("cordless", "small", "blue", "steel", "garden", "heavy duty", "18V")
CONFIG = LmConfig(vocabulary=512, row_tokens=40, max_tokens=32, device="cpu")


def make_trie(n_sids=40, seed=0):
    rng = np.random.default_rng(seed)
    packed = np.sort(rng.permutation(np.prod(SPACE.sizes))[:n_sids])
    return Trie(SPACE, packed)


TRIE = make_trie()


def make_queries(count, seed=1):
    """Queries of one to five words."""
    rng = np.random.default_rng(seed)
    return [
        " ".join([*rng.choice(WORDS, size=rng.integers(0, 4)), str(rng.choice(NOUNS))])
        for _ in range(count)
    ]


def sids_of_rows(rows):
    """The catalog holds one item a SID, in the trie's order."""
    return [str(Sid(*codes)) for codes in TRIE.sids[list(rows)].tolist()]


def make_prompts(count, seed=1):
    """Queries, some of a known shopper."""
    rng = np.random.default_rng(seed)
    return [
        Prompt(
            text=query,
            profile=(("gender", "female"),) if number % 3 == 0 else (),
            history=tuple(rng.integers(0, len(TRIE), number % 4).tolist()),
        )
        for number, query in enumerate(make_queries(count, seed))
    ]


def write(prompts):
    return [write_prompt(prompt, sids=sids_of_rows) for prompt in prompts]


def make_lm(seed=0, config=CONFIG, space=SPACE):
    return LmModel.make(config, texts=make_queries(200), space=space, seed=seed)


class HashedWords:
    """An encoder that has learned nothing."""

    encode = staticmethod(encode)


ITEMS = dataclasses.replace(
    shop_of([" ".join(WORDS)] * len(TRIE)), table=SidTable(SPACE, TRIE.sids)
)
SHOPPER = ShopperSettings(frozenset([("gender", "female"), ("gender", "male")]), history=20)


def as_generator(lm, **settings):
    return LmGenerator(lm, HashedWords(), ITEMS, shopper=SHOPPER, **settings)


def make_draw(batch=8, n_targets=2):
    """Batches in which the noun of a query decides its SIDs."""

    def draw(step):
        rng = np.random.default_rng([9, step])
        prompts = make_prompts(batch, seed=int(rng.integers(1 << 30)))
        noun = np.array([NOUNS.index(prompt.text.split()[-1]) for prompt in prompts])
        leaves = noun[:, None] * 5 + rng.integers(0, 3, (batch, n_targets))
        return PromptBatch(write(prompts), TRIE.sids[leaves].astype(np.int64))

    return draw


def save(lm, folder):
    """As the stage does, as a part of an artifact."""
    with writing(folder, kind="generator") as scratch:
        lm.save(scratch / "query_to_sid")
    return open_artifact(folder, kind="generator").part("query_to_sid")
