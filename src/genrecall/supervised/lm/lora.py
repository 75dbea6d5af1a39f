"""Low-rank adapters by the peft library, and SID tokens that are trained in full beside them."""

from __future__ import annotations

from typing import Any

from genrecall.foundation.libraries import lm_library
from genrecall.generator.lm.config import LoraConfig
from genrecall.generator.lm.model import LmModel
from genrecall.learning.adapters import adapt


def add_adapters(lm: LmModel, config: LoraConfig) -> Any:
    """Freeze the model and train adapters and SID tokens from here on.

    Adapters start at random, by torch's global generator, and change nothing before the first step.

    Returns:
        What `merge_adapters` needs.

    Raises:
        ConfigError: peft is not installed.
    """
    peft = lm_library("peft")
    adapted = adapt(peft, lm.causal, config, dropout=config.dropout, task="CAUSAL_LM")
    lm.free_sid_rows()
    return adapted


def merge_adapters(lm: LmModel, adapted: Any) -> None:
    """Add the adapters to the weights they adapt, so that the model is a plain one again."""
    lm.causal = adapted.merge_and_unload()
    lm.causal.requires_grad_(True)
    lm.keep_sid_rows()
