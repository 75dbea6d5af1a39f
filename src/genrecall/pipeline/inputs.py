"""What a stage is handed: of the config and of the stages before, what its entry declares.

The hash of a stage's inputs comes from the same declaration, so that nothing can change what a
stage makes and leave it up to date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from polars.exceptions import ColumnNotFoundError
from pydantic import BaseModel, PrivateAttr

from genrecall.config import Config
from genrecall.data.load import load_shop
from genrecall.data.parts import keep_parts, parts_with
from genrecall.data.shop_data import ShopData
from genrecall.embed.load import Embedded, load_embedded
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.progress import RunLog
from genrecall.foundation.sid import SidTable
from genrecall.quantize.load import load_table

_SETTINGS: Final = frozenset(Config.model_fields)


class UndeclaredReadError(Exception):
    """A stage takes what its entry does not declare: it would stay as it is when that changes."""


class Declared(NamedTuple):
    """What the entry of a stage says that it takes, in a run with some config.

    Attributes:
        stage: its name.
        settings: of the config; `section.part` for a part of a section.
        reads: of the stages before: `stage`, or `stage.part`.
        without: parts of those sections that it does not take; it finds their defaults.
    """

    stage: str
    settings: tuple[str, ...]
    reads: tuple[str, ...]
    without: tuple[str, ...] = ()

    def refused(self, what: str, field: str) -> UndeclaredReadError:
        """The error about something else that it takes; `field` of the entry should name it."""
        declared = self.settings if field == "settings" else self.reads
        return UndeclaredReadError(
            f"stage {self.stage!r} takes {what}, which its entry in STAGES does not declare: its "
            f"{field} are {', '.join(declared) or 'none'}. Add it there, or do not take it."
        )


class StageInputs:
    """What one stage may take.

    Args:
        declared: by its entry.
        config: of the run.
        artifacts: what the stages before have made, by name.
        log: where long encodings report to.
    """

    def __init__(
        self,
        declared: Declared,
        config: Config,
        artifacts: Mapping[str, Artifact],
        *,
        log: RunLog,
    ) -> None:
        self._declared, self._config = declared, config
        self._artifacts, self._log = artifacts, log

    @cached_property
    def config(self) -> Config:
        """The config; other settings than the declared ones are refused when they are taken."""
        whole = self._config
        for part in self._declared.without:
            whole = _by_default(whole, part.split("."))
        config = _DeclaredConfig.model_construct(**dict(whole))
        config._declared = self._declared
        return config

    @cached_property
    def data(self) -> ShopData:
        """The tables, or their declared parts and no other column."""
        parts = [read.removeprefix("data.") for read in self._declared.reads if _is_data(read)]
        if not parts:
            raise self._declared.refused("'data'", "reads")
        shop = load_shop(self._artifacts["data"])
        return shop if "data" in parts else keep_parts(shop, parts)

    def embedded(self) -> Embedded:
        """Encoder and item vectors; read anew, so that no large model outlives its stage."""
        encoder, vectors = load_embedded(self.stage("embed"), log=self._log)
        return Embedded(encoder, vectors.astype(np.float32))

    def table(self) -> SidTable:
        """The SID of each item."""
        return load_table(self.stage("quantize"))

    def stage(self, name: str) -> Artifact:
        """All that a stage before has made."""
        return self.stages[name]

    @cached_property
    def stages(self) -> Mapping[str, Artifact]:
        """What the stages before have made that are read whole, by name; others are refused."""
        whole = {name: self._artifacts[name] for name in self._declared.reads if "." not in name}
        return _DeclaredStages(self._declared, whole)

    @property
    def seed(self) -> int:
        """Of the run; 0 where the stage does not declare it, and then no chance takes part."""
        return self._config.seed if "seed" in self._declared.settings else 0

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """While the stage runs: a column that no declared part holds is told by its part.

        Raises:
            UndeclaredReadError: instead of polars' error about such a column.
        """
        try:
            yield
        except ColumnNotFoundError as error:
            if "data" in self._declared.reads or not (named := re.search(r'"(\w+)"', str(error))):
                raise
            parts = {f"data.{part}" for part in parts_with(named[1])}
            if not parts or parts & set(self._declared.reads):
                raise
            wanted = f"{' or '.join(map(repr, sorted(parts)))} (column {named[1]!r})"
            raise self._declared.refused(wanted, "reads") from error


SectionOf = TypeVar("SectionOf", bound=BaseModel)


def _by_default(section: SectionOf, path: Sequence[str]) -> SectionOf:
    """The section with its default at a path."""
    name, *rest = path
    given = getattr(section, name)
    value = _by_default(given, rest) if rest else type(given)()
    return section.model_copy(update={name: value})


def _is_data(read: str) -> bool:
    return read.partition(".")[0] == "data"


class _DeclaredConfig(Config):
    """A config of which one stage takes what its entry declares."""

    _declared: Declared = PrivateAttr()

    def __getattribute__(self, name: str) -> Any:
        if name not in _SETTINGS:
            return super().__getattribute__(name)
        return _declared_part(self._declared, super().__getattribute__(name), name)


class _DeclaredSection:
    """A section of which one stage takes the parts that its entry declares."""

    def __init__(self, declared: Declared, section: Any, name: str) -> None:
        self._declared, self._section, self._name = declared, section, name

    def __getattr__(self, part: str) -> Any:
        return _declared_part(self._declared, getattr(self._section, part), f"{self._name}.{part}")


def _declared_part(declared: Declared, value: Any, name: str) -> Any:
    """A setting, if it or a part of it is declared; of the latter no more than that part."""
    if name in declared.settings:
        return value
    if any(setting.startswith(f"{name}.") for setting in declared.settings):
        return _DeclaredSection(declared, value, name)
    raise declared.refused(f"setting {name!r}", "settings")


class _DeclaredStages(dict[str, Artifact]):
    """Artifacts by stage; another stage than these is refused."""

    def __init__(self, declared: Declared, artifacts: Mapping[str, Artifact]) -> None:
        super().__init__(artifacts)
        self._declared = declared

    def __missing__(self, name: str) -> Artifact:
        raise self._declared.refused(repr(name), "reads")
