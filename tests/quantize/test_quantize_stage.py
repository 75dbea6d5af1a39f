"""The stage end to end: what it writes, reads back, reports and refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genrecall.data.pairs import LoggedPairs
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import ArtifactError, ConfigError, DataError
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.work import Work
from genrecall.quantize.config import ClusterConfig, QuantizeConfig, TrainingConfig
from genrecall.quantize.load import load_sids
from genrecall.quantize.quantizer import Quantizer, sid_centroids
from genrecall.quantize.stage import QuantizeInputs, run

torch.set_num_threads(1)
N, D = 400, 8
PATHS = [None if i % 10 == 0 else ("shop", f"kind {i % 7}") for i in range(N)]
QUICK = QuantizeConfig(
    category_penalty=None, training=TrainingConfig(epochs=2, batch_size=128, hidden=16)
)


class Heard(SilentLog):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def unit(seed: int, n: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def logged(n: int) -> LoggedPairs:
    return LoggedPairs(query=np.arange(n) % 20, item=np.arange(n), weight=np.ones(n))


def quantize(out, config=QUICK, *, items=None, paths=None, pairs=None, queries=None, log=None):
    return run(
        config,
        QuantizeInputs(
            item_vectors=unit(0, N) if items is None else items,
            categories=PATHS if paths is None else paths,
            query_vectors=unit(1, 20) if queries is None else queries,
            pairs=logged(50) if pairs is None else pairs,
        ),
        Work(out / "quantize", inputs="hash", seed=0, log=log or SilentLog()),
    )


def test_what_is_written_reads_back_and_repeats(tmp_path):
    log = Heard()
    artifact = quantize(tmp_path, log=log)
    frozen = load_sids(artifact)
    assert artifact.inputs == "hash"
    assert artifact.meta["space"] == frozen.table.space.digest
    assert frozen.table.codes.shape == (N, 3)
    assert frozen.table.sizes.max() <= QUICK.t_max
    assert frozen.centroids.shape == (len(frozen.table.packed), D)
    assert frozen.health["sids"] == len(frozen.table.packed)
    warned = [line for line in log.lines if line.startswith("  warning: ")]
    assert [f"  warning: {text}" for text in frozen.health["warnings"]] == warned
    known = frozen.categories.encode(PATHS)
    assert (frozen.table.codes[known >= 0, 0] == known[known >= 0]).all()
    text = "\n".join(log.lines)
    assert "7 categories + 1 reserve for 40 items of unknown category" in text
    assert f"{frozen.health['sids']} SIDs in" in text
    assert quantize(tmp_path / "again").digest == artifact.digest


def test_a_trained_quantizer_encodes_the_catalog_once(tmp_path, monkeypatch):
    encoded, encode = [], Quantizer.encode

    def counted(quantizer, vectors):
        encoded.append(("untrained" if quantizer.training else "trained", len(vectors)))
        return encode(quantizer, vectors)

    monkeypatch.setattr(Quantizer, "encode", counted)
    frozen = load_sids(quantize(tmp_path))
    # The first lays the codebooks out before training.
    assert encoded == [("untrained", N), ("trained", N)]
    latents = frozen.quantizer.encode(unit(0, N))
    assert (frozen.centroids == sid_centroids(latents, frozen.table)).all()


def test_late_items_keep_to_populated_sids_of_their_category(tmp_path):
    frozen = load_sids(quantize(tmp_path))
    paths = [("shop", "kind 3"), ("shop", "kind 99"), None]
    late = frozen.assign_new(unit(7, 3), paths)
    assert (frozen.table.find(late) >= 0).all()
    assert late[0, 0] == frozen.categories.code(paths[0])
    # Items of the catalog nearly all come back to their own SID.
    again = frozen.assign_new(unit(0, N), PATHS)
    assert (again == frozen.table.codes).all(1).mean() > 0.8


def test_two_flags_away_is_plain_rq_vae(tmp_path):
    config = QUICK.model_copy(update={"use_category": False, "use_query_item": False})
    frozen = load_sids(quantize(tmp_path, config))
    assert frozen.categories.paths == ()
    assert frozen.table.space.sizes[0] == load_sids(quantize(tmp_path)).table.space.sizes[0]
    assert frozen.health["category_purity"] < 1
    assert (frozen.categories.encode(PATHS) == -1).all()


def test_the_paper_s_control_is_a_matter_of_config(tmp_path):
    clusters = ClusterConfig(t_max=3, method="random", merge_below=0, refine=0)
    config = QUICK.model_copy(update={"clusters": clusters, "k2": 2, "k3": 2})
    log = Heard()
    frozen = load_sids(quantize(tmp_path, config, log=log))
    assert frozen.table.space.sizes[1] == 2
    assert frozen.table.space.sizes[2] > 2
    assert frozen.table.sizes.max() <= 3
    assert any("0 merged, 0 items moved" in line for line in log.lines)


def test_a_log_without_clicks_trains_without_the_term(tmp_path):
    log = Heard()
    quantize(tmp_path, pairs=logged(0), queries=unit(1, 0), log=log)
    assert "  no query-item pair: the codes are trained without the query-item term" in log.lines


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_tiny_catalog_has_sids(tmp_path, n):
    frozen = load_sids(
        quantize(tmp_path, items=unit(0, n), paths=[None] * n, pairs=logged(n), queries=unit(1, n))
    )
    assert len(frozen.table.codes) == n


def test_equal_vectors_are_reported_as_a_collapse(tmp_path):
    log = Heard()
    one = np.repeat(unit(0, 1), N, axis=0)
    quantize(tmp_path, QUICK.model_copy(update={"items_per_sid": 400}), items=one, log=log)
    assert any("warning" in line for line in log.lines)


def test_too_many_categories_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match=r"7 categories.*max_categories=3"):
        quantize(tmp_path, QUICK.model_copy(update={"max_categories": 3}))
    assert not (tmp_path / "quantize").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"items": unit(0, 0), "paths": [], "pairs": logged(0)}, "at least one item"),
        ({"paths": [None]}, "400 item vectors but 1 categories"),
        ({"queries": unit(1, 3)}, "outside the 3 queries and 400 items"),
        ({"queries": np.full((20, D), np.nan, np.float32)}, "query vectors hold NaN"),
    ],
)
def test_inputs_that_do_not_fit_are_data_errors(tmp_path, given, message):
    with pytest.raises(DataError, match=message):
        quantize(tmp_path, **given)


def test_a_flipped_byte_is_refused_by_name(tmp_path):
    path = quantize(tmp_path).path
    data = bytearray((path / "sids.npy").read_bytes())
    data[-1] ^= 1
    (path / "sids.npy").write_bytes(data)
    with pytest.raises(ArtifactError, match=r"sids\.npy differs"):
        open_artifact(path, kind="quantize")


def test_sizes_follow_the_wanted_items_per_sid():
    assert (QuantizeConfig().t_max, QuantizeConfig().merge_below) == (7, 3)
    assert (QuantizeConfig(items_per_sid=1).t_max, QuantizeConfig(items_per_sid=1).merge_below) == (
        1,
        1,
    )
    given = QuantizeConfig(clusters=ClusterConfig(t_max=50, merge_below=0))
    assert (given.t_max, given.merge_below) == (50, 0)
