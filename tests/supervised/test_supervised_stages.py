"""Training of the generator: the loss, reproducible weights, exact resume."""

import numpy as np
import polars as pl
import pytest
import torch
from kept_log import KeptLog
from safetensors.torch import load_file
from torch import nn
from trained import TEXTS, load_trained

from genrecall.data.shop_data import ShopData
from genrecall.data.tables import FURTHER, SEARCHES, Searches
from genrecall.embed.load import Embedded
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.foundation.trie import Trie
from genrecall.foundation.work import Work
from genrecall.generator.compact.generator import CompactGenerator, CompactServing
from genrecall.generator.compact.model import CompactModel
from genrecall.generator.compact.weights import LevelWeights
from genrecall.generator.config import GeneratorConfig, StageConfig
from genrecall.generator.history import ShopperSettings
from genrecall.generator.prompts import Prompt
from genrecall.index.centroids import SidGroups
from genrecall.index.item_views import ItemViews
from genrecall.index.live import LiveItems
from genrecall.supervised import prompt_sets, stage
from genrecall.supervised.compact.batch import Batch
from genrecall.supervised.compact.loss import batch_loss
from genrecall.supervised.sources import training_stages

CONFIG = GeneratorConfig(
    width=16,
    item_to_sid=StageConfig(steps=5, batch=16),
    query_to_sid=StageConfig(steps=7, batch=16),
    user_query_to_sid=StageConfig(steps=8, batch=16),
    shopper_passes=100.0,
    pseudo_queries=60,
    teacher_items=4,
)
QUERIES = ["red drill", "coffee", "lamp"]
SEARCHES_MADE = Searches(
    pl.DataFrame(
        {
            "search_id": [str(number) for number in range(12)],
            "query": [QUERIES[number % 3] for number in range(12)],
            "user_id": [f"u{number % 4}" for number in range(12)],
            "time": list(range(12)),
            "split": ["train"] * 12,
            "impressions": [[]] * 12,
            "positives": [[7 * number % 100] for number in range(12)],
            "gains": [[1.0]] * 12,
            "bought": [[False]] * 12,
            "filters": [None] * 12,
        },
        schema=SEARCHES,
    )
)
"""Four shoppers, each of whom searches three times."""
NO_SEARCHES = Searches(pl.DataFrame(schema=SEARCHES))


class StoppedLog(KeptLog):
    """Stops the run, as a person would, when a line begins like `stop_at`."""

    def __init__(self, stop_at=None):
        super().__init__()
        self._stop_at = stop_at

    def say(self, text):
        super().say(text)
        if self._stop_at and text.strip().startswith(self._stop_at):
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def parts(shop_run):
    return load_trained(shop_run).parts


@pytest.fixture
def train(parts, tmp_path):
    """Run the stage; returns the artifact's digest."""

    def run(out="out", *, config=CONFIG, searches=SEARCHES_MADE, seed=1, log=None, **options):
        further = pl.DataFrame({"further_query": ["kettle", "mug"]})
        work = Work(
            out=tmp_path / out,
            inputs=options.get("inputs", "the same inputs"),
            seed=seed,
            log=log or SilentLog(),
            checkpoints=tmp_path / options.get("checkpoints", f"checkpoints of {out}"),
        )
        data = ShopData(parts.items.catalog, searches, further=further)
        embedded = Embedded(parts.encoder, parts.items.vectors.astype(np.float32))
        return stage.run(config, data, embedded, parts.items.table, work).digest

    return run


def test_the_loss_is_what_decoding_says_of_the_same_paths(parts):
    """Where all SIDs are in use and all items alike, the look-ahead says nothing."""
    space = SidSpace((3, 2, 2))
    table = SidTable(space, space.unpack(np.arange(120) % 12))
    trie = Trie(space, table.packed)
    tokenizer = parts.encoder.tokenizer
    torch.manual_seed(0)
    model = CompactModel(space=space, n_features=tokenizer.n_features, width=16, dim=8)
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.3)
    items = LiveItems(parts.items.catalog, table, parts.items.vectors)
    nothing = np.zeros((120, parts.encoder.dim + 8), dtype=np.float32)
    serving = CompactServing(
        LevelWeights.usual(), 0.05, SidGroups.alone(items.trie), ShopperSettings()
    )
    items = items.seen_as(ItemViews.alone(nothing))
    generator = CompactGenerator(model.weights, parts.encoder, items, serving)

    leaves = np.arange(len(TEXTS) * 3).reshape(-1, 3) * 5 % 12  # (B, T)
    rows = np.arange(len(TEXTS))
    with torch.no_grad():
        loss = batch_loss(
            model,
            trie,
            Batch(
                bags=tokenizer.bags(TEXTS, typed=True),
                leaves=torch.from_numpy(leaves),
                titles=tokenizer.bags(parts.items.catalog.titles[: len(TEXTS)]),
                prompt=torch.from_numpy(rows),
                item=torch.from_numpy(rows),
            ),
            temperature=0.05,
        )
    found = []
    for text, targets in zip(TEXTS, leaves, strict=True):
        for nodes in trie.path(targets).tolist():
            reading, zero = generator.read([Prompt(text)]), torch.tensor([0])
            state, second = generator.advance(reading.state, zero, torch.tensor(nodes[:1]))
            _, third = generator.advance(state, zero, torch.tensor(nodes[1:2]))
            place = [nodes[level] - trie.offsets[level][nodes[level - 1]] for level in (1, 2)]
            first = reading.step[0, nodes[0]]
            found.append([first.item(), second[place[0]].item(), third[place[1]].item()])
    expected = -np.mean(found, axis=0)
    levels = [loss.level_1.item(), loss.level_2.item(), loss.level_3.item()]
    np.testing.assert_allclose(levels, expected, atol=1e-5)
    assert loss.total.item() == pytest.approx(sum(levels) + loss.match.item(), abs=1e-5)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(train):
    first = train("one", seed=3)
    torch.manual_seed(99)
    assert train("again", seed=3) == first
    assert train("other", seed=4) != first


@pytest.mark.parametrize(
    ("stop_at", "resumed"),
    [
        ("item_to_sid", ["item_to_sid"]),
        ("query_to_sid", ["item_to_sid", "query_to_sid"]),
        ("user_query_to_sid", ["item_to_sid", "query_to_sid", "user_query_to_sid"]),
    ],
)
def test_an_interrupted_run_resumes_exactly(train, tmp_path, stop_at, resumed):
    """It stops after the last step of a stage, which is saved whatever the time."""
    whole = train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("stopped", log=StoppedLog(stop_at))
    assert not (tmp_path / "stopped").exists()
    log = StoppedLog()
    assert train("stopped", log=log) == whole
    told = [line.strip() for line in log.said if "resumes" in line]
    steps = {"item_to_sid": 5, "query_to_sid": 7, "user_query_to_sid": 8}
    assert told == [f"{name}: resumes at step {steps[name]}" for name in resumed]


def test_what_reads_the_shopper_is_trained_alone(train, tmp_path):
    train("out")
    general, personal = (
        load_file(tmp_path / "out" / name / "compact.safetensors")
        for name in ("query_to_sid", "user_query_to_sid")
    )
    assert all(torch.equal(weight, personal[name]) for name, weight in general.items())
    added = personal.keys() - general.keys()
    assert "shopper.pull" in added
    assert all(name.startswith("shopper.") for name in added)


def test_stage_3_ends_after_its_passes(train):
    """12 searches, 16 prompts a step of which 80 % are searches: 4 passes are 4 steps."""
    config = CONFIG.model_copy(update={"shopper_passes": 4.0})
    log = StoppedLog()
    train("few", config=config, log=log)
    assert "  user_query_to_sid ends after 4 of 8 steps: 4 passes over its searches" in log.said
    ended = StoppedLog()
    train("enough", log=ended)
    assert not [line for line in ended.said if "passes" in line]


def test_a_finished_run_starts_again_from_its_checkpoints_to_the_same_end(train):
    assert train("one", checkpoints="kept") == train("two", checkpoints="kept")


def test_other_inputs_never_resume(train):
    log = StoppedLog()
    train("one", checkpoints="kept", inputs="a")
    train("two", checkpoints="kept", inputs="b", log=log)
    assert not [line for line in log.said if "resumes" in line]


def test_a_damaged_checkpoint_is_told(train, tmp_path):
    train("one", checkpoints="kept")
    (path,) = (tmp_path / "kept").rglob("item_to_sid.safetensors")
    flipped = bytearray(path.read_bytes())
    flipped[-10] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(ArtifactError, match=r"item_to_sid\S* is damaged: .*Delete it; training"):
        train("two", checkpoints="kept")


@pytest.mark.parametrize(
    "changes",
    [
        {"pseudo_queries": 0},
        {"logged_share": 0.0},
        {"logged_share": 1.0, "title_share": 0.0},
        {"title_share": 0.0},
        {"item_to_sid": StageConfig(steps=0)},
        {"item_to_sid": StageConfig(steps=0), "query_to_sid": StageConfig(steps=0)},
        {"query_to_sid": StageConfig(steps=2, batch=1)},
        {"targets": 1, "teacher_items": 1},
        {"unlabelled_share": 1.0, "pseudo_queries": 0, "logged_share": 0.0, "title_share": 0.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("logged", [True, False])
def test_every_mix_of_sources_trains(train, changes, logged):
    config = GeneratorConfig.model_validate(CONFIG.model_dump() | changes)
    train(config=config, searches=SEARCHES_MADE if logged else NO_SEARCHES)


def shares(parts, changes, *, searches=SEARCHES_MADE, further=()):
    """Share of a stage-2 batch by source, in order, and the unlabelled prompts."""
    further = pl.DataFrame({"further_query": list(further)}, schema=FURTHER)
    vectors = parts.items.vectors.astype(np.float32)
    _, stage_2 = training_stages(
        GeneratorConfig.model_validate(CONFIG.model_dump() | changes),
        ShopData(parts.items.catalog, searches, further=further),
        Embedded(parts.encoder, vectors),
        titles=parts.encoder.tokenizer.words(parts.items.catalog.titles),
        sid_of_item=parts.items.table.sid_of_item,
        known=None,
        teacher=None,
        rng=np.random.default_rng(0),
    )
    return [source.share for source in stage_2.sources], stage_2.sources[-2].prompts


@pytest.mark.parametrize(
    ("changes", "queries", "expected"),
    [
        ({}, 3, [0.1, 0.5, 0.2, 0.2]),
        ({}, 1, [0.1, 0.5, 0.5 / 3, 0.4 - 0.5 / 3]),
        ({}, 0, [0.1, 0.5, 0.4]),
        ({"unlabelled_share": 0.0}, 3, [0.1, 0.5, 0.4]),
        ({"unlabelled_share": 0.9}, 9, [0.1, 0.5, 0.4]),
        ({"pseudo_queries": 0}, 3, [1 / 8, 5 / 8, 2 / 8]),
    ],
)
def test_an_unlabelled_query_is_read_no_more_often_than_a_logged_one(
    parts, changes, queries, expected
):
    further = [f"mug {number}" for number in range(queries)]
    assert shares(parts, changes, further=further)[0] == pytest.approx(expected)


def test_a_few_unlabelled_queries_without_a_log_are_not_learned_by_heart(parts):
    changes = {"pseudo_queries": 900}
    found, _ = shares(parts, changes, searches=NO_SEARCHES, further=["red drill", "lamp"])
    assert found == pytest.approx([0.1, 0.1, 0.8])  # fifty times two of nine hundred, of .9
    many = [f"mug {number}" for number in range(40)]
    assert shares(parts, changes, searches=NO_SEARCHES, further=many)[0][1] == pytest.approx(0.2)


def test_queries_in_which_nothing_is_read_teach_nothing(parts):
    further = ["☂☂☂", "red drill", "???"]
    _, prompts = shares(parts, {}, searches=NO_SEARCHES, further=further)
    assert list(prompts.texts) == ["red drill"]
    found, _ = shares(parts, {}, searches=NO_SEARCHES, further=["☂☂☂"])
    assert found == pytest.approx([0.1, 0.9])


def test_of_very_many_unlabelled_queries_some_are_read(parts, monkeypatch):
    monkeypatch.setattr(prompt_sets, "_LEAST_UNLABELLED", 3)
    further = [f"mug {number}" for number in range(9)]
    _, prompts = shares(parts, {"pseudo_queries": 2}, further=further)
    assert list(prompts.texts) == ["mug 0", "mug 4", "mug 8"]


def test_unlabelled_queries_have_the_items_of_the_dense_channel_for_targets(parts):
    further = ["kettle", "red drills"]
    _, prompts = shares(parts, {}, searches=NO_SEARCHES, further=further)
    assert list(prompts.texts) == further
    assert prompts.made_of is None
    scores = parts.encoder.encode(further) @ parts.items.vectors.T.astype(np.float32)
    best = np.argsort(-scores, axis=1)[:, :4]
    np.testing.assert_array_equal(prompts.targets.items.reshape(2, 4), best)
    weights = np.diff(prompts.targets.cumulative).reshape(2, 4)
    soft = np.exp(np.take_along_axis(scores, best, axis=1) / 0.04)
    np.testing.assert_allclose(weights, soft / soft.sum(axis=1, keepdims=True), rtol=1e-4)


def test_training_lowers_the_loss(train):
    class Losses(SilentLog):
        def __init__(self):
            self.found = []

        def event(self, name, **figures):
            if name == "progress" and figures["stage"] == "item_to_sid":
                self.found.append(figures["loss"])

    def final_loss(steps):
        log = Losses()
        one = StageConfig(steps=steps, batch=64)
        train(f"{steps}", config=CONFIG.model_copy(update={"item_to_sid": one}), log=log)
        return log.found[-1]

    assert final_loss(60) < 0.7 * final_loss(1)
