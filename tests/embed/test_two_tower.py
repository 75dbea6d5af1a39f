"""The in-domain encoder: its loss by hand, its training, its files."""

import math

import embed_shop
import numpy as np
import pytest
import torch
from embed_shop import CONFIG, KINDS, NICKNAMES, QUERIES, TITLES, no_pairs, train
from hypothesis import given
from hypothesis import strategies as st

from genrecall.embed.in_domain import InDomainView
from genrecall.embed.losses import in_batch_loss
from genrecall.embed.training.two_tower import TwoTower
from genrecall.foundation import text_encoder
from genrecall.foundation.artifact import open_artifact, writing
from genrecall.foundation.ragged import ragged_offsets
from genrecall.learning.bags import bag_tensors


@pytest.fixture(scope="module")
def encoder():
    return train()


def weights_of(encoder):
    return encoder.views["in_domain"].weights


def best(encoder, query, n=1):
    scores = encoder.encode(TITLES) @ encoder.encode([query])[0]
    return [TITLES[row] for row in np.argsort(-scores)[:n]]


ids = st.lists(st.integers(0, 3), min_size=5, max_size=5)


@given(ids, ids, st.integers(0, 2**32))
def test_in_batch_loss_equals_a_plain_loop(query_ids, item_ids, seed):
    random = np.random.default_rng(seed)
    queries, items = random.normal(size=(2, 5, 3))
    total = 0.0
    for i in range(5):
        scores = []
        for j in range(5):
            same = query_ids[i] == query_ids[j] or item_ids[i] == item_ids[j]
            if i == j or not same:
                scores.append(math.exp(queries[i] @ items[j] / 0.5))
        total -= math.log(math.exp(queries[i] @ items[i] / 0.5) / sum(scores))
    loss = in_batch_loss(
        torch.tensor(queries),
        torch.tensor(items),
        query_ids=torch.tensor(query_ids),
        item_ids=torch.tensor(item_ids),
        temperature=0.5,
    )
    assert loss.item() == pytest.approx(total / 5, abs=1e-9)


def test_a_batch_of_one_item_has_nothing_to_learn():
    vectors = torch.randn(3, 4, requires_grad=True)
    loss = in_batch_loss(
        vectors,
        vectors.detach(),
        query_ids=torch.arange(3),
        item_ids=torch.zeros(3, dtype=torch.long),
        temperature=0.1,
    )
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(vectors.grad, torch.zeros(3, 4))


def test_vectors_have_length_one_and_none_for_a_text_without_a_known_letter(encoder):
    vectors = encoder.encode([*TITLES, "", "...", "日本"])
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TITLES) + 3, CONFIG.dim)
    lengths = np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(lengths[: len(TITLES)], 1.0, atol=1e-5)
    assert lengths[len(TITLES) :].tolist() == [0, 0, 0]


def test_no_text_gives_no_vector(encoder):
    assert encoder.encode([]).shape == (0, CONFIG.dim)


def test_batches_do_not_change_vectors(encoder):
    alone = np.concatenate([encoder.encode([title]) for title in TITLES])
    np.testing.assert_allclose(encoder.encode(TITLES), alone, atol=1e-6)


def test_long_encodings_are_made_block_by_block(encoder, monkeypatch):
    texts, sizes, means = [*TITLES, "☂"], [], text_encoder.bag_means
    whole = encoder.encode(texts)

    def counted(table, ids, offsets):
        sizes.append(len(offsets) - 1)
        return means(table, ids, offsets)

    monkeypatch.setattr(text_encoder, "bag_means", counted)
    monkeypatch.setattr("genrecall.foundation.blocks._ROWS", 7)
    bags = encoder.tokenizer.bags(texts, typed=True)
    for vectors in (encoder.encode(texts), encoder.encode_cut(texts, bags)):
        np.testing.assert_allclose(vectors, whole, atol=1e-6)
        assert not vectors[-1].any()
    assert max(sizes) == 7


def test_it_finds_an_item_by_its_title_words(encoder):
    found = [best(encoder, title)[0] == title for title in TITLES]
    assert np.mean(found) > 0.9
    for kind in KINDS:
        assert kind in best(encoder, f"{kind}s")[0]


def test_it_learns_from_the_log_what_no_title_says(encoder):
    found = [best(encoder, f"blue {nickname}", 2) for nickname in NICKNAMES.values()]
    assert found != []
    for kind, titles in zip(NICKNAMES, found, strict=True):
        assert {f"acme blue {kind}", f"bolt blue {kind}"} == set(titles)


def test_a_shop_without_a_log_trains_on_its_titles():
    encoder = train(queries=[], pairs=no_pairs())
    assert np.mean([best(encoder, title)[0] == title for title in TITLES]) > 0.9


def test_a_log_alone_trains_too():
    encoder = train(CONFIG.model_copy(update={"logged_share": 1.0, "steps": 2}))
    assert np.isfinite(encoder.encode(QUERIES)).all()


@pytest.mark.parametrize("titles", [["drill"], ["drill", ""], ["", "..."]])
def test_shops_of_hardly_any_words_train(titles):
    config = CONFIG.model_copy(update={"steps": 2, "batch": 4})
    encoder = train(config, titles=titles, queries=[], pairs=no_pairs())
    assert np.isfinite(encoder.encode(titles)).all()


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    config = CONFIG.model_copy(update={"steps": 5})
    one, again, other = (train(config, seed=seed) for seed in (3, 3, 4))
    for name, weight in weights_of(one).items():
        assert (weight == weights_of(again)[name]).all()
    table = "embedding.weight"
    assert not (weights_of(one)[table] == weights_of(other)[table]).all()


def test_chance_elsewhere_does_not_change_training():
    config = CONFIG.model_copy(update={"steps": 3})
    torch.manual_seed(1)
    one = train(config).encode(TITLES)
    torch.manual_seed(2)
    np.random.seed(5)
    assert (train(config).encode(TITLES) == one).all()


def test_what_is_saved_encodes_equally(tmp_path, encoder):
    with writing(tmp_path / "embed", kind="embed") as folder:
        encoder.views["in_domain"].save(folder)
    read = InDomainView.load(open_artifact(tmp_path / "embed", kind="embed"))
    texts = [*TITLES, *QUERIES, "unseen words 12v"]
    found = read.encode(texts, encoder.tokenizer.bags(texts, typed=True))
    assert (found == encoder.encode(texts)).all()
    assert read.dim == encoder.dim == CONFIG.dim


class StoppedError(Exception):
    """Raised in the middle of training."""


class StopAt:
    """A folder of checkpoints that fails after so many steps."""

    def __init__(self, checkpoints, step):
        self.checkpoints, self.step = checkpoints, step

    def resume(self, *args):
        return self.checkpoints.resume(*args)

    def save(self, name, step, *args, steps):
        self.checkpoints.save(name, step, *args, steps=steps)
        if step == self.step:
            raise StoppedError


def test_a_resumed_encoder_equals_an_uninterrupted_one(tmp_path, monkeypatch):
    whole = train()
    real = embed_shop.Checkpoints
    with monkeypatch.context() as patch:
        patch.setattr(embed_shop, "Checkpoints", lambda *a, **k: StopAt(real(*a, **k), 7))
        with pytest.raises(StoppedError):
            train(checkpoints=tmp_path)
    resumed = train(checkpoints=tmp_path)
    for name, weight in weights_of(whole).items():
        assert (weight == weights_of(resumed)[name]).all(), name


def test_gradients_are_the_same_with_one_thread_and_with_two():
    random, batch = np.random.default_rng(0), 1024
    counts = random.integers(1, 12, 2 * batch)
    bags = (
        torch.from_numpy(random.integers(0, 5000, counts.sum())),
        torch.from_numpy(ragged_offsets(counts)[:-1]),
    )
    torch.manual_seed(0)
    model, number = TwoTower(n_features=5000, width=128, dim=64), torch.arange(batch)
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        model.zero_grad()
        vectors = model(*bags)
        in_batch_loss(
            vectors[:batch], vectors[batch:], query_ids=number, item_ids=number, temperature=0.05
        ).backward()
        grads = [weight.grad for weight in model.parameters()]
        found.append([g.coalesce().to_dense() if g.is_sparse else g.clone() for g in grads])
    torch.set_num_threads(1)
    for one, two in zip(*found, strict=True):
        assert one.any()
        assert torch.equal(one, two)


def test_vectors_are_those_of_the_network_that_was_trained(encoder):
    view = encoder.views["in_domain"]
    sizes = view.weights["embedding.weight"].shape
    model = TwoTower(n_features=sizes[0], width=sizes[1], dim=view.dim)
    model.load_state_dict({name: torch.from_numpy(of) for name, of in view.weights.items()})
    bags = encoder.tokenizer.bags([*TITLES, "☂"])
    with torch.no_grad():
        expected = model(*bag_tensors(bags)).numpy()
    np.testing.assert_allclose(view.encode([*TITLES, "☂"], bags), expected, atol=1e-5)
