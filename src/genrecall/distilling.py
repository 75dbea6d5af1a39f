"""Opens the teacher of a distillation: a bundle that answers prompts with its best SIDs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from genrecall.artifact import Artifact
from genrecall.channels.bundle import load_parts
from genrecall.decode.beam import search
from genrecall.errors import ConfigError
from genrecall.generator.distill import Taught, Teacher
from genrecall.generator.prompts import Prompt
from genrecall.progress import Progress, RunLog
from genrecall.sid import SidTable

_AT_ONCE: Final = 64  # prompts searched together: bounds the memory of the beams


def open_teacher(bundle: Artifact, table: SidTable, log: RunLog) -> Teacher:
    """The generator that a bundle serves.

    Args:
        bundle: whose.
        table: the SIDs that the student learns.
        log: where to report.

    Raises:
        ArtifactError: the bundle is damaged or of other settings.
        ConfigError: the bundle has other SIDs.
    """
    parts = load_parts(bundle)
    theirs = parts.table
    if theirs.space != table.space or not np.array_equal(theirs.codes, table.codes):
        raise ConfigError(
            f"generator.distill.teacher: {bundle.path} has other SIDs "
            f"({len(theirs.packed):,} in {theirs.space.sizes}) than this run "
            f"({len(table.packed):,} in {table.space.sizes}). Make both from the same data with "
            "the same settings up to the generator."
        )
    channel = parts.generative()

    def answer(prompts: Sequence[Prompt], beam: int) -> Taught:
        progress = Progress(log, "teacher", total=len(prompts), unit="prompts")
        answers = []
        for start in range(0, len(prompts), _AT_ONCE):
            part = prompts[start : start + _AT_ONCE]
            answers.append(search(channel.generator, channel.trie, part, beam=beam))
            progress.update(len(part))
        progress.finish()
        return Taught(
            np.concatenate([beams.leaves for beams in answers]),
            np.concatenate([beams.logprob for beams in answers]),
        )

    return answer
