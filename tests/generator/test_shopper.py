"""How the compact family reads the shopper."""

from pathlib import Path

import numpy as np
import pytest
import torch

from genrecall.foundation.ragged import Bags, make_bags
from genrecall.generator.compact.context import ShopItems, context_of_prompts, make_context
from genrecall.generator.compact.shopper import ShopperModel
from genrecall.generator.prompts import ITEM, QUERY, Prompt, write_prompt

ITEMS = ShopItems(
    sid_of_item=np.array([0, 0, 1, 2, 2]),
    views=np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0][:, :4].astype(np.float32),
)
PAIRS = [("gender", "female"), ("age_band", "25-34")]


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


QUERY_VIEW = torch.nn.functional.normalize(torch.ones(4), dim=0)


def made(length=3):
    """A model whose weights all count."""
    torch.manual_seed(0)
    model = ShopperModel(width=8, dim=4, n_leaves=3, n_pairs=len(PAIRS), length=length)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return model


@pytest.fixture
def model():
    return made()


def moved(model, prompts):
    """States and views of a query as each of some shoppers means it, side by side."""
    context = context_of_prompts(prompts, ITEMS, PAIRS, length=model.length)
    n_prompts = len(prompts)
    with torch.no_grad():
        hidden, views = model(torch.ones(n_prompts, 8), QUERY_VIEW.expand(n_prompts, 4), context)
    return torch.cat([hidden, views], dim=1)


def test_a_context_holds_the_latest_first_and_no_more_than_the_length():
    histories = Bags(np.array([4, 3, 2, 1, 0]), np.array([0, 4, 4, 5]))
    profiles = Bags(np.array([1]), np.array([0, 0, 1, 1]))
    context = make_context(ITEMS, histories, profiles, length=3)
    assert (context.leaves.tolist(), context.counts.tolist()) == ([0, 1, 2, 0], [3, 0, 1])
    assert (context.prompt.tolist(), context.age.tolist()) == ([0, 0, 0, 2], [0, 1, 2, 0])
    np.testing.assert_array_equal(context.views[:3], ITEMS.views[[1, 2, 3]])
    assert (context.pairs.tolist(), context.offsets.tolist()) == ([1], [0, 0, 1, 1])


def test_before_training_a_query_moves_towards_what_was_chosen_and_no_other():
    torch.manual_seed(0)
    model = ShopperModel(width=8, dim=4, n_leaves=3, n_pairs=len(PAIRS), length=3)
    rows = moved(model, [Prompt("saw"), Prompt("saw", history=(2,)), Prompt("saw", history=(2, 4))])
    assert torch.equal(rows[:, :8], torch.ones(3, 8))
    torch.testing.assert_close(rows[0, 8:], QUERY_VIEW)
    towards = torch.from_numpy(ITEMS.views) @ rows[:, 8:].T
    assert towards[2, 1] > towards[2, 0]
    assert towards[2, 1] > towards[2, 2] > towards[2, 0]


def test_what_training_never_saw_of_a_profile_counts_for_nothing(model):
    known = Prompt("saw", profile=(PAIRS[0],))
    more = Prompt("saw", profile=(PAIRS[0], ("gender", "other")))
    unknown = Prompt("saw", profile=(("gender", "other"),))
    rows = moved(model, [known, more, unknown, Prompt("saw")])
    torch.testing.assert_close(rows[0], rows[1])
    torch.testing.assert_close(rows[2], rows[3])
    assert not torch.allclose(rows[0], rows[2])


def test_order_sid_and_item_of_a_history_all_count(model):
    prompts = [Prompt("saw", history=h) for h in [(2, 3), (3, 2), (2, 4), (2,)]]
    rows = moved(model, prompts)
    for one in range(4):
        for other in range(one):
            assert not torch.allclose(rows[one], rows[other], atol=1e-4)


def test_a_batch_is_read_like_each_alone(model):
    prompts = [
        Prompt("saw", history=(0, 1, 2, 3)),
        Prompt("saw"),
        Prompt("saw", profile=tuple(PAIRS), history=(4,)),
        Prompt("saw", profile=(PAIRS[1],)),
    ]
    together = moved(model, prompts)
    for prompt, row in zip(prompts, together, strict=True):
        torch.testing.assert_close(moved(model, [prompt])[0], row)


def test_a_model_without_history_reads_profiles_alone():
    prompts = [Prompt("saw"), Prompt("saw", history=(1, 2)), Prompt("saw", profile=(PAIRS[0],))]
    rows = moved(made(length=0), prompts)
    assert torch.equal(rows[0], rows[1])
    assert not torch.allclose(rows[0], rows[2])


def test_a_prompt_is_written_with_what_is_known():
    def sids(rows):
        return [f"<{row}>" for row in rows]

    full = Prompt("red saw", profile=tuple(PAIRS), history=(3, 1))
    written = "gender: female; age_band: 25-34; clicked: <3> <1>; query: red saw"
    assert str(write_prompt(full, sids=sids)) == written
    assert str(write_prompt(Prompt("red saw"), sids=sids)) == "query: red saw"
    assert str(write_prompt(Prompt("Acme saw 9"), kind=ITEM, sids=sids)) == "item: Acme saw 9"


def test_the_docs_show_the_prompts_as_they_are_written():
    docs = (Path(__file__).parents[2] / "docs" / "shoppers.md").read_text("utf-8")
    history = Prompt("drill", profile=tuple(PAIRS), history=(0, 1))
    names = ["<c1_3><c2_0><c3_5>", "<c1_3><c2_1><c3_0>"]
    for prompt, kind in [
        (Prompt("Acme cordless drill 18V"), ITEM),
        (Prompt("cordless drill"), QUERY),
        (history, QUERY),
    ]:
        assert f"`{write_prompt(prompt, kind=kind, sids=lambda _: names)}`" in docs


def test_gradients_are_the_same_with_one_thread_and_with_two():
    """With as many shoppers and choices as torch shares between threads."""
    n_prompts, width, length = 256, 128, 20
    random = np.random.default_rng(0)
    items = ShopItems(random.integers(0, 300, 900), unit(random.normal(size=(900, width))))
    histories = make_bags(
        [random.integers(0, 900, random.integers(0, length + 1)) for _ in range(n_prompts)]
    )
    context = make_context(items, histories, make_bags([[0, 1]] * n_prompts), length=length)
    torch.manual_seed(0)
    model = ShopperModel(width=width, dim=width, n_leaves=300, n_pairs=len(PAIRS), length=length)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    hidden, views, wanted = torch.randn(3, n_prompts, width)
    views = torch.nn.functional.normalize(views, dim=1)
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        model.zero_grad()
        moved_hidden, moved_views = model(hidden, views, context)
        ((moved_hidden + moved_views) * wanted).sum().backward()
        grads = [weight.grad for weight in model.parameters()]
        found.append([g.coalesce().to_dense() if g.is_sparse else g.clone() for g in grads])
    torch.set_num_threads(1)
    for one, two in zip(*found, strict=True):
        assert one.any()
        assert torch.equal(one, two)
