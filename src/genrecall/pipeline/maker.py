"""Makes one stage after the other from what those before it have made."""

from __future__ import annotations

from genrecall.config import Config
from genrecall.foundation.artifact import Artifact, Json
from genrecall.foundation.progress import RunLog
from genrecall.foundation.work import Work
from genrecall.pipeline.made import Made
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.stages import Stage


class Maker:
    """Knows what a stage's inputs are, and makes it.

    Args:
        config: of the run.
        outputs: where to write.
        log: where to report.

    Attributes:
        done: what the stages so far have made, by name.
    """

    def __init__(self, config: Config, outputs: Outputs, log: RunLog) -> None:
        self.outputs, self.log = outputs, log
        self.done: dict[str, Artifact] = {}
        self._config = config
        self._made = Made(config, outputs, self.done, log)
        self._contents: dict[str, dict[str, Json]] = {}

    def read_settings(self, stage: Stage) -> None:
        """Read once what the stage's settings name.

        Raises:
            DataError, ArtifactError: something that they name is missing or damaged.
        """
        if stage.name not in self._contents:
            self._contents[stage.name] = stage.content(self._config)

    def inputs(self, stage: Stage) -> str:
        """Hash of everything that decides what the stage makes; those before it are done."""
        self.read_settings(stage)
        return stage.inputs(self._contents[stage.name], self._config, self.done)

    def make(self, stage: Stage, inputs: str) -> Artifact:
        """Run a stage; `inputs` is the hash of its inputs."""
        work = Work(
            out=self.outputs.stage(stage.name),
            inputs=inputs,
            seed=self._config.seed,
            log=self.log,
            checkpoints=self.outputs.checkpoints,
            cache=self.outputs.vectors,
        )
        return stage.run(self._made, work)
