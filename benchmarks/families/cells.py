"""The cells of the comparison: each is one generator over the SIDs that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from genrecall.generator.config import DistillConfig, GeneratorConfig
from genrecall.generator.lm.config import Size, Training
from genrecall.generator.load import STAGES

COMPACT: Final = "compact"
LM: Final = "lm"
EQUAL: Final = "compact_equal"
STUDENT: Final = "student"


@dataclass(frozen=True)
class Cell:
    """A generator to train.

    Attributes:
        name: of the cell.
        says: what it is, for the table.
        needs: cells that must be finished before.
    """

    name: str
    says: str
    needs: tuple[str, ...] = ()


CELLS: Final = (
    Cell(COMPACT, "family compact, the config's own steps"),
    Cell(LM, "family lm, from scratch, for the given minutes", (COMPACT,)),
    Cell(EQUAL, "family compact, its steps scaled to the given minutes", (COMPACT,)),
    Cell(STUDENT, "as compact, half of stage 2 are the answers of lm", (COMPACT, LM)),
)

PAIRS: Final = ((LM, EQUAL), (STUDENT, COMPACT))
"""Which cells are compared search by search."""


def compact(generator: GeneratorConfig) -> GeneratorConfig:
    """What users of the compact family get from these settings."""
    # Validated again, so that stages of a config for `lm` train as suits `compact`.
    return GeneratorConfig.model_validate(dict(generator) | {"family": "compact", "distill": None})


def student(generator: GeneratorConfig, teacher: Path) -> GeneratorConfig:
    """The same with a teacher."""
    return compact(generator).model_copy(update={"distill": DistillConfig(teacher=teacher)})


def language_model(
    generator: GeneratorConfig, size: Size, device: str, training: Training
) -> GeneratorConfig:
    """A language model from scratch on the same prompts."""
    changed = {
        "family": "lm",
        "distill": None,
        "lm": generator.lm.model_copy(
            update={"pretrained": None, "lora": None, "size": size, "device": device}
        ),
    }
    stages = {
        name: getattr(generator, name).model_copy(update=training._asdict()) for name in STAGES
    }
    return generator.model_copy(update=changed | stages)


def with_steps(generator: GeneratorConfig, steps: Mapping[str, int]) -> GeneratorConfig:
    """The same with other steps; a stage that is not named keeps its own, and stage 3 its end."""
    stages = {
        name: getattr(generator, name).model_copy(update={"steps": number})
        for name, number in steps.items()
    }
    return generator.model_copy(update=stages)
