"""The training loop: an interrupted run that is resumed ends where an uninterrupted one does."""

import os
from typing import NamedTuple

import torch
from torch import nn

from genrecall.foundation.progress import SilentLog
from genrecall.learning.checkpoint import Checkpoints, last_saved
from genrecall.learning.loop import train_steps


class Plan(NamedTuple):
    steps: int = 7
    batch: int = 4
    learning_rate: float = 0.1
    embedding_learning_rate: float = 0.2


PLAN = Plan()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.bag = nn.EmbeddingBag(6, 4, mode="mean", sparse=True)
        self.out = nn.Linear(4, 3)


def train(folder, *, stop_at=None, plan=PLAN):
    """The trained model and the steps that were taken."""
    model, taken = Model(), []

    def losses(step):
        if step == stop_at:
            raise KeyboardInterrupt
        taken.append(step)
        ids = torch.tensor([[step % 3, (step + 1) % 3, 3]])
        return {"loss": model.out(model.bag(ids)).pow(2).sum()}

    try:
        train_steps(
            "small",
            model,
            losses,
            schedule=plan,
            checkpoints=Checkpoints(folder, every=0),
            log=SilentLog(),
        )
    except KeyboardInterrupt:
        assert stop_at is not None
    return model, taken


def same(one, other):
    others = other.state_dict()
    return all(torch.equal(value, others[name]) for name, value in one.state_dict().items())


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path):
    whole, steps = train(None)
    assert steps == list(range(7))
    assert not whole.training
    train(tmp_path, stop_at=5)
    resumed, steps = train(tmp_path)
    assert steps == [5, 6]
    assert same(whole, resumed)


def test_bags_and_dense_weights_have_rates_of_their_own():
    start = Model()
    slow, _ = train(None, plan=Plan(learning_rate=1e-9))
    assert torch.allclose(slow.out.weight, start.out.weight, atol=1e-6)
    assert not torch.allclose(slow.bag.weight, start.bag.weight, atol=1e-2)


def test_the_newest_checkpoint_is_told(tmp_path):
    assert last_saved(tmp_path / "none") == ""
    train(tmp_path, stop_at=5)
    assert last_saved(tmp_path) == "small is saved at step 5"
    newer = tmp_path / "newer.safetensors"
    newer.write_bytes(b"broken off")
    os.utime(newer, (2**32, 2**32))
    assert last_saved(tmp_path) == ""
