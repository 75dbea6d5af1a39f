"""One run's walk through the stages: what they have made so far, and what goes into the next."""

from __future__ import annotations

from pathlib import Path

from genrecall.config import Config
from genrecall.foundation.artifact import Artifact, Json
from genrecall.foundation.progress import RunLog
from genrecall.foundation.work import Work, checkpoints_of
from genrecall.pipeline.inputs import StageInputs
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.stages import Stage


class Walk:
    """Hands each stage what it takes, and keeps what it makes.

    Args:
        config: of the run.
        outputs: where to write.
        log: where to report.

    Attributes:
        outputs: where it writes.
        log: where it reports.
        artifacts: what the stages so far have made, by name.
    """

    def __init__(self, config: Config, outputs: Outputs, log: RunLog) -> None:
        self.outputs, self.log = outputs, log
        self.artifacts: dict[str, Artifact] = {}
        self._config = config
        self._contents: dict[str, dict[str, Json]] = {}

    def read_settings(self, stage: Stage) -> None:
        """Read once what the stage's settings name.

        Raises:
            DataError, ArtifactError: something that they name is missing or damaged.
        """
        if stage.name not in self._contents:
            self._contents[stage.name] = stage.content(self._config)

    def hash_inputs(self, stage: Stage) -> str:
        """Hash of everything that decides what the stage makes; those before it are made."""
        self.read_settings(stage)
        return stage.hash_inputs(self._contents[stage.name], self._config, self.artifacts)

    def resumes_from(self, stage: Stage) -> Path:
        """Folder of the checkpoints from which the stage would go on."""
        return checkpoints_of(self.outputs.checkpoints, self.hash_inputs(stage))

    def make(self, stage: Stage) -> None:
        """Run a stage whose predecessors are made.

        Raises:
            UndeclaredReadError: it takes what its entry does not declare.
        """
        declared = stage.declared(self._config)
        inputs = StageInputs(declared, self._config, self.artifacts, log=self.log)
        work = Work(
            out=self.outputs.stage(stage.name),
            inputs=self.hash_inputs(stage),
            seed=inputs.seed,
            log=self.log,
            checkpoints=self.outputs.checkpoints,
            checkpoint_every=self._config.checkpoint_every,
            cache=self.outputs.vectors,
            machine=self.outputs.machine,
        )
        with inputs.guarded():
            self.artifacts[stage.name] = stage.run(inputs, work)
