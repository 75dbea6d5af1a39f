"""A grown catalog keeps its SIDs; the space only grows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch

from genrecall.data.pairs import LoggedPairs
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.groups import group_means
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.work import Work
from genrecall.quantize.config import ClusterConfig, QuantizeConfig, TrainingConfig, WarmConfig
from genrecall.quantize.load import FrozenSids, Previous, load_sids
from genrecall.quantize.quantizer import Quantizer
from genrecall.quantize.stability import sid_stability
from genrecall.quantize.stage import QuantizeInputs, run

torch.set_num_threads(1)
N, D = 2000, 16
QUICK = QuantizeConfig(
    category_penalty=None, training=TrainingConfig(epochs=3, batch_size=256, hidden=32)
)


class Shop(NamedTuple):
    vectors: np.ndarray
    paths: list[tuple[str, ...] | None]

    def take(self, rows: np.ndarray) -> Shop:
        return Shop(self.vectors[rows], [self.paths[row] for row in rows.tolist()])


class Heard(SilentLog):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def make_shop() -> Shop:
    """Twelve categories of unequal size, eight kinds in each; some items without category."""
    random = np.random.default_rng(0)
    category = np.minimum(random.geometric(0.15, N) - 1, 11)
    means = random.normal(size=(12, D))
    kinds = 0.7 * random.normal(size=(12, 8, D))
    noise = 0.4 * random.normal(size=(N, D))
    vectors = means[category] + kinds[category, random.integers(0, 8, N)] + noise
    paths = [None if i % 25 == 0 else ("shop", f"c{c:02}") for i, c in enumerate(category.tolist())]
    return Shop(unit(vectors), paths)


SHOP = make_shop()
OLD = np.flatnonzero(np.random.default_rng(1).random(N) > 0.1)
ROWS = np.full(N, -1)
ROWS[OLD] = np.arange(len(OLD))


def quantize(out, shop, *, previous=None, config=QUICK, log=None) -> FrozenSids:
    pairs = LoggedPairs(query=np.arange(100), item=np.arange(100), weight=np.ones(100))
    artifact = run(
        config,
        QuantizeInputs(shop.vectors, shop.paths, shop.vectors[:100], pairs, previous),
        Work(out, inputs="", seed=0, log=log or SilentLog()),
    )
    return load_sids(artifact)


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> FrozenSids:
    """The SIDs of the shop without a tenth of its items."""
    return quantize(tmp_path_factory.mktemp("before") / "q", SHOP.take(OLD))


def test_the_grown_catalog_is_encoded_once(tmp_path, before, monkeypatch):
    encoded, encode = [], Quantizer.encode

    def counted(quantizer, vectors):
        encoded.append(("untrained" if quantizer.training else "trained", len(vectors)))
        return encode(quantizer, vectors)

    monkeypatch.setattr(Quantizer, "encode", counted)
    quantize(tmp_path / "q", SHOP, previous=Previous(before, ROWS))
    # And at the start the items of new categories, of which there are few or none.
    whole = [call for call in encoded if call[1] == N]
    assert whole == [("untrained", N), ("trained", N)]
    assert sum(items for _, items in encoded) < 2.5 * N


def error(frozen: FrozenSids, vectors: np.ndarray) -> float:
    table = frozen.table
    means = group_means(vectors, table.sid_of_item, len(table.packed))
    return float(np.square(vectors - means[table.sid_of_item]).sum(1).mean())


def assert_grown(before: FrozenSids, after: FrozenSids) -> None:
    """What a code or a category meant it means still."""
    old, new = before.table.space.sizes, after.table.space.sizes
    assert new[0] >= old[0]
    assert new[1] == old[1]
    assert new[2] >= old[2]
    for path in before.categories.paths:
        assert path is None or after.categories.code(path) == before.categories.code(path)


def test_warm_moves_fewer_items_than_cold_at_no_larger_error(tmp_path, before):
    log = Heard()
    warm = quantize(tmp_path / "warm", SHOP, previous=Previous(before, ROWS), log=log)
    cold = quantize(tmp_path / "cold", SHOP)
    moved = {
        name: sid_stability(before.table.codes, frozen.table.codes, ROWS)
        for name, frozen in {"warm": warm, "cold": cold}.items()
    }
    assert moved["warm"].items == len(OLD)
    assert moved["warm"].moved < 0.02
    assert moved["cold"].moved > 0.5
    assert moved["warm"].regrouped < 0.1 * moved["cold"].regrouped
    assert error(warm, SHOP.vectors) < 1.03 * error(cold, SHOP.vectors)
    assert warm.table.sizes.max() <= QUICK.t_max
    assert_grown(before, warm)
    text = "\n".join(log.lines)
    assert f"of {len(OLD):,} known items moved" in text
    assert f"{N - len(OLD):,} new items" in text


def test_an_unchanged_catalog_keeps_all_sids(tmp_path, before):
    config = QUICK.model_copy(update={"warm": WarmConfig(epochs=0)})
    again = quantize(
        tmp_path / "q",
        SHOP.take(OLD),
        previous=Previous(before, np.arange(len(OLD))),
        config=config,
    )
    assert (again.table.codes == before.table.codes).all()
    assert again.table.space == before.table.space
    for old, new in zip(before.quantizer.codebooks, again.quantizer.codebooks, strict=True):
        assert torch.equal(old, new)


def test_new_categories_get_codes_and_those_that_vanish_keep_theirs(tmp_path, before):
    gone = [path == ("shop", "c00") for path in SHOP.paths]
    rows = np.flatnonzero(~np.array(gone))
    rest = SHOP.take(rows)
    art = unit(np.random.default_rng(3).normal(size=(90, D)))
    shop = Shop(np.concatenate([rest.vectors, art]), [*rest.paths, *[("art",)] * 90])
    known = np.concatenate([ROWS[rows], np.full(90, -1)])
    after = quantize(tmp_path / "q", shop, previous=Previous(before, known))
    assert_grown(before, after)
    code = after.categories.code(("art",))
    assert code == before.categories.n_codes  # the reserve code is in use
    assert (after.table.codes[-90:, 0] == code).all()
    assert 9 <= len(np.unique(after.table.codes[-90:], axis=0)) <= 45
    with_category = np.array([path is not None for path in shop.paths])
    assert before.categories.code(("shop", "c00")) not in after.table.codes[with_category, 0]


def test_an_item_of_another_category_moves_there(tmp_path, before):
    paths = list(SHOP.paths)
    moved = [row for row in OLD.tolist() if paths[row] == ("shop", "c01")][:20]
    for row in moved:
        paths[row] = ("shop", "c02")
    shop, previous = Shop(SHOP.vectors, paths), Previous(before, ROWS)
    after = quantize(tmp_path / "q", shop, previous=previous)
    assert (after.table.codes[moved, 0] == after.categories.code(("shop", "c02"))).all()
    # Where categories are soft it may stay.
    soft = QUICK.model_copy(update={"category_penalty": 0.1})
    after = quantize(tmp_path / "soft", shop, previous=previous, config=soft)
    assert (after.table.codes[moved] == before.table.codes[ROWS[moved]]).all(1).mean() > 0.5


def test_an_item_moves_only_to_a_sid_that_is_clearly_nearer(tmp_path, before):
    """An item gets the vector of another one of its category."""
    codes = before.table.codes
    room = before.table.sizes[before.table.sid_of_item] < QUICK.t_max - 1
    category = before.table.codes[:, 0] == before.categories.code(("shop", "c00"))
    target = np.flatnonzero(category & room)[0]
    far = np.flatnonzero(category & (codes != codes[target]).any(1))
    centers = before.centroids[before.table.sid_of_item]
    far = far[np.argsort(-np.square(centers[far] - centers[target]).sum(1))][:1]
    shop = SHOP.take(OLD)
    vectors = shop.vectors.copy()
    vectors[far] = vectors[target]

    def place(margin):
        config = QUICK.model_copy(update={"warm": WarmConfig(epochs=0, margin=margin)})
        previous = Previous(before, np.arange(len(OLD)))
        out = tmp_path / str(margin)
        changed = Shop(vectors, shop.paths)
        return quantize(out, changed, previous=previous, config=config).table.codes[far]

    assert (place(0.2) == codes[target]).all()
    assert (place(1.0) == codes[far]).all()


def test_a_sid_that_outgrows_the_limit_splits_off_new_items_only(tmp_path, before):
    sid = int(before.table.sizes.argmax())
    at = np.flatnonzero(before.table.sid_of_item == sid)
    shop = SHOP.take(OLD)
    path = next((shop.paths[row] for row in at.tolist() if shop.paths[row]), None)
    random = np.random.default_rng(4)
    more = unit(shop.vectors[at].mean(0) + 0.01 * random.normal(size=(30, D)))
    grown = Shop(np.concatenate([shop.vectors, more]), [*shop.paths, *[path] * 30])
    rows = np.concatenate([np.arange(len(OLD)), np.full(30, -1)])
    after = quantize(tmp_path / "q", grown, previous=Previous(before, rows))
    assert (after.table.codes[:-30] == before.table.codes).all(1).mean() > 0.99
    assert after.table.sizes.max() <= QUICK.t_max
    fresh = after.table.codes[-30:][before.table.find(after.table.codes[-30:]) < 0]
    k3 = before.quantizer.sizes[2]
    assert len(fresh) >= 30 - QUICK.t_max
    assert (fresh[:, :2] == before.table.sids[sid, :2]).all()
    assert (fresh[:, 2] % k3 == before.table.sids[sid, 2] % k3).all()
    few = QUICK.model_copy(update={"clusters": ClusterConfig(g_max=1)})
    full = quantize(tmp_path / "few", grown, previous=Previous(before, rows), config=few)
    assert full.table.sizes.max() > QUICK.t_max  # no group is left


@pytest.mark.parametrize("changes", [{"use_category": False}, {"category_penalty": 0.1}, {}])
def test_a_catalog_without_a_known_item_is_a_new_one(tmp_path, before, changes):
    config = QUICK.model_copy(update=changes)
    after = quantize(tmp_path / "q", SHOP, previous=Previous(before, ROWS * 0 - 1), config=config)
    assert after.table.space.sizes[:2] == before.table.space.sizes[:2]
    assert after.table.sizes.max() <= QUICK.t_max


def test_growing_twice(tmp_path, before):
    once = quantize(tmp_path / "1", SHOP, previous=Previous(before, ROWS))
    random = np.random.default_rng(6)
    more = unit(SHOP.vectors[:200] + 0.1 * random.normal(size=(200, D)))
    shop = Shop(np.concatenate([SHOP.vectors, more]), SHOP.paths + SHOP.paths[:200])
    rows = np.concatenate([np.arange(N), np.full(200, -1)])
    twice = quantize(tmp_path / "2", shop, previous=Previous(once, rows))
    assert_grown(once, twice)
    assert sid_stability(once.table.codes, twice.table.codes, rows).moved < 0.02
    assert twice.table.sizes.max() <= QUICK.t_max


def test_plain_rq_vae_grows_too(tmp_path):
    config = QUICK.model_copy(update={"use_category": False, "use_query_item": False})
    first = quantize(tmp_path / "1", SHOP.take(OLD), config=config)
    after = quantize(tmp_path / "2", SHOP, previous=Previous(first, ROWS), config=config)
    assert after.table.space.sizes[:2] == first.table.space.sizes[:2]
    assert sid_stability(first.table.codes, after.table.codes, ROWS).moved < 0.02


def test_vectors_of_another_width_are_a_config_error(tmp_path, before):
    narrow = Shop(unit(SHOP.vectors[:, :8]), SHOP.paths)
    with pytest.raises(ConfigError, match=r"width 16, these have 8\. Set embed\.dim as it was"):
        quantize(tmp_path / "q", narrow, previous=Previous(before, ROWS))


def test_stability_of_nothing_is_nothing_moved():
    codes = np.zeros((2, 3), dtype=np.int32)
    assert sid_stability(codes, codes, np.full(2, -1)) == (0, 0.0, 0.0)
