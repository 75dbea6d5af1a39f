"""The base of every config section: frozen, strict about names, documented field by field.

A setting that names a file, a bundle or a model says so by its type. From the type follows how it
resolves against the config's folder, what of it may stand in a bundle that goes to other machines,
and what a hash of inputs takes in its place: what lies there, not where it lies.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path, PurePath
from types import UnionType
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    ValidationInfo,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from genrecall.foundation.artifact import BUNDLE, Json, file_hash, open_artifact
from genrecall.foundation.errors import DataError
from genrecall.foundation.libraries import model_files

FOLDER: Final = "folder"
"""Key of the validation context: the folder that paths resolve against. Without it they stay."""

_MOVED: Final = {
    **{
        f"embed.{name}": f"embed.in_domain.{name}"
        for name in (
            "width",
            "dim",
            "steps",
            "batch",
            "temperature",
            "logged_share",
            "word_dropout",
            "learning_rate",
            "embedding_learning_rate",
        )
    },
    **{
        f"embed.{name}": f"embed.subwords.{name}"
        for name in ("vocabulary", "pair_buckets", "stemmer")
    },
    "embed.pretrained": "embed.pretrained.model",
    "embed.pretrained_batch": "embed.pretrained.batch",
    "embed.static": "embed.static.source",
    "embed.query_prefix": "embed.pretrained.query_prefix",
    "embed.item_prefix": "embed.pretrained.item_prefix",
    "embed.static_dim": "embed.static.dim",
    "channels.fusion": "funnel.fusion",
    "channels.generative.look_ahead_temperature": "generator.temperature",
    "embed.checkpoint_every": "checkpoint_every, in seconds",
    "generator.checkpoint_every": "checkpoint_every, in seconds",
    "generator.match_temperature": "generator.temperature",
}
"""Settings of earlier versions, and where they stand now."""


def moved(where: Sequence[str]) -> str | None:
    """Where a setting of an earlier version stands now, in words; None if it did not move.

    Args:
        where: its name and those of the sections around it, from the outside.
    """
    name = ".".join(where)
    return f"{name}: this setting is now {_MOVED[name]}" if name in _MOVED else None


def unusable(error: ValidationError, *sections: str) -> str:
    """What of the settings that another version has kept cannot be used, in words.

    Args:
        error: what came of validating them.
        sections: names of the sections around them, from the outside.
    """
    problems = []
    for problem in error.errors():
        where = (*sections, *map(str, problem["loc"]))
        told = moved(where) if problem["type"] == "extra_forbidden" else None
        problems.append(told or f"{'.'.join(where)}: {problem['msg']}")
    return "; ".join(problems)


class PathKind(ABC):
    """What a setting names; stands in the annotation of its type."""

    @abstractmethod
    def resolve(self, value: Any, folder: Path) -> Any:
        """The setting as it counts for a config in `folder`."""

    @abstractmethod
    def portable(self, value: Any) -> str:
        """The setting without the paths of this machine."""

    @abstractmethod
    def content(self, value: Any, setting: str) -> Json:
        """What lies there; `setting` is its name, for errors."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def resolved(value: Any, info: ValidationInfo) -> Any:
            folder = (info.context or {}).get(FOLDER)
            return value if folder is None else self.resolve(value, folder)

        return core_schema.with_info_after_validator_function(resolved, handler(source))


class _OnDisk(PathKind):
    """What is always a path of this machine."""

    def resolve(self, value: Path, folder: Path) -> Path:
        """An absolute path stays, and a link stays what it is: a bundle's may mean another one."""
        return Path(os.path.abspath(folder / value))  # noqa: PTH100

    def portable(self, value: Path) -> str:
        """The name of the file or folder."""
        return value.name


@dataclass(frozen=True)
class FileKind(_OnDisk):
    """A file: its name and its bytes count."""

    def content(self, value: Path, setting: str) -> Json:
        """Name and SHA-256.

        Raises:
            DataError: there is no such file.
        """
        if not value.is_file():
            raise DataError(f"{value} does not exist. Correct `{setting}` in the config.")
        return {"name": value.name, "sha256": file_hash(value)}


@dataclass(frozen=True)
class BundleKind(_OnDisk):
    """A bundle.

    Attributes:
        parts: those that count, by the names of their stages; () for the whole.
    """

    parts: tuple[str, ...] = ()

    def content(self, value: Path, setting: str) -> Json:  # noqa: ARG002
        """Digest of the bundle, or of each of the parts.

        Raises:
            ArtifactError: it is missing or damaged.
        """
        bundle = open_artifact(value, kind=BUNDLE)
        if not self.parts:
            return bundle.digest
        return {part: bundle.part(part).digest for part in self.parts}


@dataclass(frozen=True)
class ModelKind(PathKind):
    """A model: a directory if there is one of that name, else a name on the model hub."""

    def resolve(self, value: str, folder: Path) -> str:
        """A name that is no folder here stays."""
        found = (folder / value).resolve()
        return str(found) if found.is_dir() else value

    def portable(self, value: str) -> str:
        """The name of the hub, or of the directory."""
        return Path(value).name if Path(value).is_absolute() else value

    def content(self, value: str, setting: str) -> Json:  # noqa: ARG002
        """The files of a directory by their hashes; of a model on the hub, its name."""
        folder = Path(value)
        if not folder.is_dir():
            return value
        return {file: file_hash(folder / file) for file in model_files(folder)}


InputFile = Annotated[Path, FileKind()]
"""A file that is read."""

BundleFolder = Annotated[Path, BundleKind()]
"""A bundle, all of which counts."""

ModelName = Annotated[str, Field(min_length=1), ModelKind()]
"""A directory with a model, or the name of one on the model hub."""


class NamedPath(NamedTuple):
    """A setting that names a path.

    Attributes:
        where: its name and those of the sections around it, from the outside.
        kind: of what it names.
        value: as it was given and resolved.
    """

    where: tuple[str, ...]
    kind: PathKind
    value: Any


class Section(BaseModel):
    """A part of the config. The docstring under a field says what it does and its unit.

    Raises:
        TypeError: at the class, a field is a path without a kind, which would be neither resolved
            nor kept out of bundles, or holds paths in a container, where `paths` finds none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        for name, field in cls.model_fields.items():
            if told := _misplaced_path(field):
                raise TypeError(f"{cls.__name__}.{name} {told}")

    def paths(self) -> Iterator[NamedPath]:
        """The settings that name paths, those of inner sections too."""
        for name, value in self:
            if isinstance(value, Section):
                for inner in value.paths():
                    yield inner._replace(where=(name, *inner.where))
            elif value is not None and (kind := _kind_of(type(self).model_fields[name])):
                yield NamedPath((name,), kind, value)

    def portable(self) -> dict[str, Json]:
        """All settings as JSON, without the paths of this machine."""
        return self._written(lambda path: path.kind.portable(path.value))

    def content(self) -> dict[str, Json]:
        """All settings as JSON, with what lies at a path in its place: what a hash of inputs takes.

        Raises:
            DataError: a file is missing.
            ArtifactError: a bundle is missing or damaged.
        """
        return self._written(lambda path: path.kind.content(path.value, ": ".join(path.where)))

    def _written(self, form: Callable[[NamedPath], Json]) -> dict[str, Json]:
        values = self.model_dump(mode="json")
        for path in self.paths():
            *outer, name = path.where
            reduce(getitem, outer, values)[name] = form(path)
        return values


def _kind_of(field: FieldInfo) -> PathKind | None:
    """What a setting names; None if it is no path."""
    inner = [mark for part in get_args(field.annotation) for mark in get_args(part)[1:]]
    return next((mark for mark in [*field.metadata, *inner] if isinstance(mark, PathKind)), None)


def _misplaced_path(field: FieldInfo) -> str:
    """What is wrong with the paths of a field; "" if nothing is."""
    union = get_origin(field.annotation) in (Union, UnionType)
    for choice in get_args(field.annotation) if union else (field.annotation,):
        marked = get_origin(choice) is Annotated
        plain = get_args(choice)[0] if marked else choice
        if any(map(_names_path, get_args(plain))):
            return (
                "holds paths in a container, where none is resolved. Give each a field of its own, "
                "or a section."
            )
        if _is_a(plain, PurePath) and _kind_of(field) is None:
            return (
                "is a path of no kind, which is not resolved and travels in bundles. Annotate it "
                "as InputFile, BundleFolder or ModelName, or with a PathKind."
            )
    return ""


def _names_path(part: Any) -> bool:
    """Whether a part of an annotation names a path, or holds one that does."""
    if isinstance(part, PathKind) or _is_a(part, PurePath):
        return True
    if _is_a(part, Section):
        fields = part.model_fields.values()
        return any(_kind_of(field) or _names_path(field.annotation) for field in fields)
    return any(map(_names_path, get_args(part)))


def _is_a(part: Any, kind: type) -> bool:
    return isinstance(part, type) and get_origin(part) is None and issubclass(part, kind)
