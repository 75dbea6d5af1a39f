"""What every encoder does, in-domain or pretrained."""

import numpy as np
import pytest
from embed_shop import CONFIG, QUERIES, TITLES, train
from tiny_model import save_model

from genrecall.embed.load import load_encoder
from genrecall.embed.pretrained import PretrainedEncoder
from genrecall.embed.static import StaticVectors
from genrecall.embed.training import train_tokenizer
from genrecall.embed.views import Views
from genrecall.embed.word_vectors import find_static
from genrecall.foundation.artifact import open_artifact, writing
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.ragged import take_bags

UNKNOWN = ["", "  ", "...", "日本"]
TEXTS = [TITLES[0], "", *QUERIES[:3], "日本", f"{TITLES[5]} with unseen words 12v", *TITLES[6:20]]


@pytest.fixture(scope="module", params=["two-tower", "pretrained", "views"])
def made(request, tmp_path_factory):
    """An encoder and the artifact that it was written into."""
    folder = tmp_path_factory.mktemp("encoder")
    with writing(folder / "embed", kind="embed") as written:
        if request.param != "pretrained":
            encoder = train(CONFIG.model_copy(update={"steps": 5}))
            encoder.save(written)
            if request.param == "views":
                files = find_static("wordllama")
                static = StaticVectors.make(files, written / "static", dim=16, titles=TITLES)
                encoder = Views(encoder, static)
        else:
            prefixes = {"query_prefix": "query: ", "item_prefix": "item: "}
            pretrained = str(save_model(folder / "model"))
            config = CONFIG.model_copy(
                update={"pretrained": pretrained, "pretrained_batch": 4, **prefixes}
            )
            tokenizer = train_tokenizer(config, titles=TITLES, queries=QUERIES)
            encoder = PretrainedEncoder.make(config, written, tokenizer=tokenizer, log=SilentLog())
    return encoder, open_artifact(folder / "embed", kind="embed")


@pytest.fixture(params=["encode", "encode_items", "encode_cut"])
def encode(request, made):
    """Texts to vectors by each of the encoder's ways."""
    encoder, _ = made
    if request.param == "encode_cut":
        return lambda texts: encoder.encode_cut(texts, encoder.tokenizer.bags(texts))
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
    bags = take_bags(encoder.tokenizer.bags(TITLES), chosen)
    texts = [TITLES[row] for row in chosen]
    np.testing.assert_allclose(encoder.encode_cut(texts, bags), encoder.encode(texts), atol=1e-6)


def test_changing_an_answer_does_not_change_the_next(encode):
    first = encode(QUERIES)
    kept = first.copy()
    first[:] = 7
    assert (encode(QUERIES) == kept).all()


def test_what_is_saved_encodes_equally(made):
    encoder, artifact = made
    read = load_encoder(artifact)
    assert type(read) is type(encoder)
    assert read.dim == encoder.dim
    assert read.tokenizer.n_features == encoder.tokenizer.n_features
    assert (read.encode(TEXTS) == encoder.encode(TEXTS)).all()
    assert (read.encode_items(TEXTS) == encoder.encode_items(TEXTS)).all()
