"""A pretrained model that learns from the log."""

import shutil

import numpy as np
import polars as pl
import pytest
import torch
from embed_shop import QUERIES, TITLES, logged_pairs
from kept_log import KeptLog
from safetensors import safe_open
from tiny_model import save_model

from genrecall.data.shop_data import ShopData
from genrecall.data.tables import SEARCHES, Catalog, Searches
from genrecall.embed import stage
from genrecall.embed.config import EmbedConfig, FineTuneConfig, PretrainedConfig
from genrecall.embed.losses import in_batch_loss
from genrecall.embed.pretrained import PretrainedModel
from genrecall.embed.training.fine_tune import Logged, fine_tune
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.work import Work
from genrecall.learning.checkpoint import Checkpoints

PAIRS = logged_pairs()
CONFIG = FineTuneConfig(steps=40, batch=32, rank=8, alpha=16, learning_rate=1e-2)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def opened(model, tmp_path):
    def opened(name="view"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        (tmp_path / name).mkdir()
        config = PretrainedConfig(model=str(model), query_prefix="q: ")
        return PretrainedModel.make(config, tmp_path / name, log=SilentLog())

    return opened


def tuned(reader, config=CONFIG, *, seed=1, checkpoints=None, log=None):
    return fine_tune(
        reader,
        Logged(TITLES, QUERIES, PAIRS),
        config,
        seed=seed,
        checkpoints=Checkpoints(checkpoints, every=0),
        log=log or SilentLog(),
    )


def ordered(reader):
    """Share of pairs of a relevant and another item that stand in the right order."""
    scores = reader.encode(QUERIES) @ reader.encode_items(TITLES).T
    relevant = np.zeros(scores.shape, dtype=np.bool_)
    relevant[PAIRS.query, PAIRS.item] = True
    sides = [(of[mine], of[~mine]) for of, mine in zip(scores, relevant, strict=True)]
    return np.mean([(mine[:, None] > others).mean() for mine, others in sides])


def weights(reader):
    with safe_open(reader.folder / "model/model.safetensors", framework="np") as stored:
        return {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118


def test_queries_find_what_the_log_says(opened):
    reader = opened()
    assert ordered(reader) < 0.6
    assert ordered(tuned(reader, CONFIG.model_copy(update={"steps": 100}))) > 0.8


def test_the_model_is_a_plain_one_again(opened):
    before = opened("before")
    after = tuned(opened())
    old, new = weights(before), weights(after)
    assert old.keys() == new.keys()
    assert any((old[name] != new[name]).any() for name in old)
    again = PretrainedModel(
        after.folder, query_prefix="q: ", item_prefix=None, batch=8, log=SilentLog()
    )
    assert (again.encode(QUERIES) == after.encode(QUERIES)).all()


def test_the_same_seed_gives_the_same_model_and_another_seed_another(opened):
    first, again, other = (
        tuned(opened(name), seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    vectors = [reader.encode(QUERIES) for reader in (first, again, other)]
    assert (vectors[0] == vectors[1]).all()
    assert not np.allclose(vectors[0], vectors[2])


def test_an_interrupted_training_resumes_exactly(opened, tmp_path):
    class Stopped(KeptLog):
        def event(self, name, **_):
            if name == "progress":
                raise KeyboardInterrupt

    whole = tuned(opened("whole")).encode(QUERIES)
    kept = tmp_path / "checkpoints"
    with pytest.raises(KeyboardInterrupt):
        tuned(opened("stopped"), checkpoints=kept, log=Stopped())
    log = KeptLog()
    resumed = tuned(opened("stopped"), checkpoints=kept, log=log)
    assert any("pretrained model: resumes at step" in line for line in log.said)
    assert (resumed.encode(QUERIES) == whole).all()


def test_of_frozen_weights_no_checkpoint_is_kept(opened, tmp_path):
    tuned(opened(), CONFIG.model_copy(update={"steps": 1}), checkpoints=tmp_path / "kept")
    (path,) = (tmp_path / "kept").iterdir()
    with safe_open(path, framework="np") as stored:
        shapes = [stored.get_slice(name).get_shape() for name in stored.keys()]  # noqa: SIM118
    assert max(max(shape, default=0) for shape in shapes) <= 32  # no table of words


def test_the_loss_is_computed_where_the_vectors_are():
    """On a GPU, for which this device stands."""
    vectors = torch.zeros(4, 8, device="meta")
    numbers = torch.arange(4, device="meta")
    loss = in_batch_loss(vectors, vectors, query_ids=numbers, item_ids=numbers, temperature=0.1)
    assert loss.device.type == "meta"


def made(tmp_path, log, **settings):
    """The stage with a fine-tuned model alone."""
    model = save_model(tmp_path / "tiny")
    pretrained = {"model": str(model), "int8": False, "fine_tune": {"steps": 2, "batch": 4}}
    config = EmbedConfig(views=("pretrained",), pretrained=pretrained)
    frame = pl.DataFrame({"item_id": [str(row) for row in range(len(TITLES))], "title": TITLES})
    data = ShopData(Catalog(frame).completed(), Searches(pl.DataFrame(**settings)).completed())
    return stage.run(config, data, Work(tmp_path / "out", inputs="", seed=0, log=log))


def test_the_stage_fine_tunes_where_there_is_a_log(tmp_path):
    searches = {
        "query": QUERIES,
        "split": ["train"] * 8,
        "positives": [[1]] * 8,
        "gains": [[1.0]] * 8,
    }
    log = KeptLog()
    artifact = made(tmp_path, log, data=searches)
    assert "pretrained/model/model.safetensors" in artifact.files
    assert not any(file.startswith("pretrained/int8/") for file in artifact.files)
    assert not any("stays as it came" in line for line in log.said)


def test_without_a_log_a_model_stays_as_it_came(tmp_path):
    log = KeptLog()
    made(tmp_path, log, schema=SEARCHES)
    told = "  the pretrained model stays as it came: there is no log to learn from"
    assert told in log.said


def test_a_model_without_a_transformer_is_refused(opened, tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer = opened().model.tokenizer.backend_tokenizer
    words = StaticEmbedding(tokenizer, embedding_dim=8)
    SentenceTransformer(modules=[words], device="cpu").save(str(tmp_path / "words"))
    (tmp_path / "other").mkdir()
    config = PretrainedConfig(model=str(tmp_path / "words"))
    reader = PretrainedModel.make(config, tmp_path / "other", log=SilentLog())
    with pytest.raises(ConfigError, match=r"words' begins with a StaticEmbedding and has no trans"):
        tuned(reader)
