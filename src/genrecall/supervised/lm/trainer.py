"""Trains a language model on the same sources as the compact family, written as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.progress import RunLog
from genrecall.foundation.sid import SidTable
from genrecall.generator.config import GeneratorConfig, StageConfig
from genrecall.generator.lm.model import LmModel
from genrecall.generator.prompts import Prompt, WrittenPrompt, write_prompt
from genrecall.learning.checkpoint import Checkpoints
from genrecall.supervised.lm.training import PromptBatch, train_lm_stage
from genrecall.supervised.sources import Draw, TrainingStage, draw


class LmTrainer:
    """Trains a language model stage by stage.

    Args:
        config: of the generator.
        table: the SID of each item.
        texts: what a vocabulary from scratch is learned from.
        seed: same seed, same weights.

    Raises:
        ConfigError: the pretrained model cannot be loaded or used, or a library is missing.
    """

    def __init__(
        self,
        config: GeneratorConfig,
        table: SidTable,
        *,
        texts: Sequence[str],
        seed: int,
    ) -> None:
        self.lm = LmModel.make(config.lm, texts=texts, space=table.space, seed=seed)
        self._config, self._table, self._seed = config, table, seed

    def train(self, stage: TrainingStage, *, checkpoints: Checkpoints, log: RunLog) -> None:
        """See `Trainer.train`. Each stage has a stream of chance of its own, by its number."""
        name, number, sources = stage
        schedule: StageConfig = getattr(self._config, name)

        def batch(step: int) -> PromptBatch:
            rng = np.random.default_rng([self._seed, number, step])
            written: list[WrittenPrompt] = []
            codes: list[NDArray[np.int64]] = []
            for drawn in draw(sources, schedule.batch, targets=self._config.targets, rng=rng):
                written += self._write(drawn, rng)
                codes.append(self._table.codes[drawn.items].astype(np.int64))
            return PromptBatch(written, np.concatenate(codes))

        train_lm_stage(
            self.lm,
            batch,
            schedule,
            self._config.lm,
            name=name,
            seed=self._seed,
            checkpoints=checkpoints,
            log=log,
        )

    def save(self, folder: Path) -> None:
        """Write weights and tokenizer as transformers reads them."""
        self.lm.save(folder)

    def _write(self, drawn: Draw, rng: np.random.Generator) -> list[WrittenPrompt]:
        prompts = drawn.prompts
        asked = [Prompt(prompts.texts[number]) for number in drawn.chosen.tolist()]
        if prompts.shoppers is not None:
            known = prompts.shoppers.draw(
                drawn.chosen,
                rng,
                withheld=self._config.shopper_dropout,
                forgotten=self._config.history_dropout,
            )
            asked = prompts.shoppers.personalise(asked, *known)
        return [write_prompt(prompt, kind=prompts.kind, sids=self._table.names) for prompt in asked]
