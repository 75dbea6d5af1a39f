"""What every combination of views does."""

import numpy as np
import pytest
from embed_shop import CONFIG, QUERIES, TITLES, logged_pairs, train
from tiny_model import save_model

from genrecall.embed.config import PretrainedConfig
from genrecall.embed.frozen import FrozenView
from genrecall.embed.load import load_views, save_views
from genrecall.embed.pretrained import PretrainedModel
from genrecall.embed.static import StaticVectors
from genrecall.embed.training.maps import Read, learn_maps
from genrecall.embed.views import Views
from genrecall.embed.word_vectors import find_static
from genrecall.foundation.artifact import open_artifact, writing
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.ragged import take_bags

UNKNOWN = ["", "  ", "...", "日本"]
TEXTS = [TITLES[0], "", *QUERIES[:3], "日本", f"{TITLES[5]} with unseen words 12v", *TITLES[6:20]]
VIEWS = {
    "two-tower": ("in_domain",),
    "pretrained": ("pretrained",),
    "two": ("in_domain", "static"),
    "three": ("in_domain", "static", "pretrained"),
}


def read_by(name, folder):
    """What reads texts in a frozen view."""
    if name == "static":
        return StaticVectors.make(find_static("wordllama"), folder)
    model = str(save_model(folder.parent.parent / "model"))
    config = PretrainedConfig(model=model, query_prefix="query: ", item_prefix="item: ", batch=4)
    return PretrainedModel.make(config, folder, log=SilentLog())


@pytest.fixture(scope="module", params=VIEWS)
def made(request, tmp_path_factory):
    """Views and the artifact that they were written into."""
    folder = tmp_path_factory.mktemp("encoder")
    views = train(CONFIG.model_copy(update={"steps": 5}))
    found = {}
    with writing(folder / "embed", kind="embed") as written:
        for name in VIEWS[request.param]:
            (written / name).mkdir()
            if name == "in_domain":
                found[name] = views.views[name]
                found[name].save(written / name)
            else:
                reader = read_by(name, written / name)
                read = Read(reader.encode_items(TITLES), reader.encode(QUERIES))
                maps = learn_maps(read, logged_pairs(), dim=8, seed=0)
                maps.save(written / name)
                found[name] = FrozenView(reader, maps)
        weights = {"in_domain": 2.0, "static": 1.0, "pretrained": 1.0}
        encoder = Views(views.tokenizer, found, weights)
        save_views(encoder, written)
    return encoder, open_artifact(folder / "embed", kind="embed")


@pytest.fixture(params=["encode", "encode_items", "encode_cut"])
def encode(request, made):
    """Texts to vectors by each of the encoder's ways."""
    encoder, _ = made
    if request.param == "encode_cut":
        return lambda texts: encoder.encode_cut(texts, encoder.tokenizer.bags(texts, typed=True))
    return getattr(encoder, request.param)


def test_vectors_have_length_one_or_are_zeros(encode, made):
    vectors = encode([*TITLES, *UNKNOWN])
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TITLES) + len(UNKNOWN), made[0].dim)
    lengths = np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(lengths[: len(TITLES)], 1.0, atol=1e-5)
    assert lengths[len(TITLES) :].tolist() == [0.0] * len(UNKNOWN)


@pytest.mark.parametrize("texts", [[], [""], ["", "..."]])
def test_nothing_to_encode(encode, made, texts):
    assert encode(texts).tolist() == np.zeros((len(texts), made[0].dim)).tolist()


def test_a_batch_equals_each_text_alone(encode):
    alone = np.concatenate([encode([text]) for text in TEXTS])
    np.testing.assert_allclose(encode(TEXTS), alone, atol=1e-6)
    assert not np.allclose(alone[0], alone[2], atol=1e-3)  # they do not all look alike


def test_queries_cut_before_have_the_same_vectors(made):
    encoder, _ = made
    chosen = np.array([3, 0, 7])
    bags = take_bags(encoder.tokenizer.bags(TITLES, typed=True), chosen)
    texts = [TITLES[row] for row in chosen]
    np.testing.assert_allclose(encoder.encode_cut(texts, bags), encoder.encode(texts), atol=1e-6)


def test_changing_an_answer_does_not_change_the_next(encode):
    first = encode(QUERIES)
    kept = first.copy()
    first[:] = 7
    assert (encode(QUERIES) == kept).all()


def test_what_is_saved_encodes_equally(made):
    encoder, artifact = made
    read = load_views(artifact)
    assert read.shares == encoder.shares
    assert list(read.sizes.items()) == list(encoder.sizes.items())
    assert read.tokenizer.n_features == encoder.tokenizer.n_features
    assert (read.encode(TEXTS) == encoder.encode(TEXTS)).all()
    assert (read.encode_items(TEXTS) == encoder.encode_items(TEXTS)).all()


def test_products_are_weighted_means_of_the_views(made):
    encoder, _ = made
    texts = [*TITLES[:5], *QUERIES[:3]]
    typed, bags = (encoder.tokenizer.bags(texts, typed=typed) for typed in (True, False))
    products = 0.0
    for name, view in encoder.views.items():
        asked, offered = view.encode(texts, typed), view.encode_items(texts, bags)
        products = products + encoder.shares[name] * (asked @ offered.T)
    found = encoder.encode(texts) @ encoder.encode_items(texts).T
    np.testing.assert_allclose(found, products, atol=1e-5)
    assert sum(encoder.shares.values()) == pytest.approx(1.0)
    assert sum(encoder.sizes.values()) == encoder.dim
    assert encoder.weight == pytest.approx(1 / max(encoder.shares.values()))
