"""Reading in NumPy against reading with gradients."""

import numpy as np
import pytest
import torch
from trained import TEXTS, load_trained

from genrecall.generator.load import QUERY_TO_SID, USER_QUERY_TO_SID
from genrecall.generator.prompts import Prompt

HISTORIES = ((), (7,), (7, 3, 50, 3, 11))


@pytest.mark.parametrize("stage", [QUERY_TO_SID, USER_QUERY_TO_SID])
@pytest.mark.parametrize("drawn", [False, True])
def test_what_is_read_is_what_is_read_with_gradients(shop_run, stage, drawn):
    generator = load_trained(shop_run, stage=stage).generator
    policy = generator.policy
    pairs = generator.weights.pairs
    prompts = [
        Prompt(text, profile=pairs[: n % 2], history=HISTORIES[n % 3])
        for n, text in enumerate([*TEXTS, "☂"])
    ]
    if drawn:  # in place, as training does: what shoppers say is nothing before it
        torch.manual_seed(0)
        with torch.no_grad():
            for weight in policy.model.parameters():
                weight.add_(0.05 * torch.randn_like(weight))
    reading = policy.read(prompts)
    with torch.no_grad():
        state, step = policy.begin(prompts)
    np.testing.assert_allclose(reading.state.hidden, state.hidden, atol=2e-5, rtol=1e-5)
    scaled = reading.queries / generator.look_ahead.temperature
    np.testing.assert_allclose(scaled, state.ahead.scaled, atol=1e-4)
    np.testing.assert_allclose(reading.step, step, atol=1e-3)
    assert not reading.queries[-1].any()


def test_no_prompt_is_read_as_none(shop_run):
    generator = load_trained(shop_run, stage=USER_QUERY_TO_SID).generator
    assert len(generator.read([])) == 0
