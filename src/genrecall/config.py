"""The whole config: the sections that each stage owns, read from YAML.

Paths resolve against the config's folder; `${VAR:-default}` is replaced by the environment variable
or the default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError

from genrecall.channels.config import ChannelsConfig
from genrecall.data.config import DataConfig
from genrecall.embed.config import EmbedConfig
from genrecall.evaluate.config import EvaluateConfig
from genrecall.foundation.errors import ConfigError, unknown_name
from genrecall.foundation.settings import FOLDER, Section, moved
from genrecall.funnel.config import FunnelConfig
from genrecall.generator.config import GeneratorConfig
from genrecall.quantize.config import QuantizeConfig
from genrecall.queries.config import QueriesConfig

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_VARIABLE: Final = re.compile(r"(\$?)\$\{(\w+)(?::-([^}]*))?\}")


class Config(Section):
    """Everything that decides what a run makes."""

    data: DataConfig
    """The shop's tables and how searches are split."""

    queries: QueriesConfig = QueriesConfig()
    """What is done with a query before any channel reads it."""

    embed: EmbedConfig = EmbedConfig()
    """Texts to vectors."""

    quantize: QuantizeConfig = QuantizeConfig()
    """Vectors to SIDs."""

    generator: GeneratorConfig = GeneratorConfig()
    """Queries to SIDs."""

    channels: ChannelsConfig = ChannelsConfig()
    """Recall channels."""

    funnel: FunnelConfig = FunnelConfig()
    """From the channels' lists to one answer."""

    evaluate: EvaluateConfig = EvaluateConfig()
    """What is measured."""

    seed: int = Field(default=0, ge=0)
    """Where all chance in training comes from; the split has a seed of its own."""

    threads: int | None = Field(default=None, ge=1)
    """Threads of training and evaluation; null for one per core. Results of different numbers may
    differ in the third digit: what is added up in another order is rounded otherwise, and k-means
    and training make more of that."""

    checkpoint_every: float = Field(default=60.0, ge=0)
    """Seconds between two checkpoints of a training, from which an interrupted run resumes exactly;
    0 for one after each step. No result depends on it."""


def load_config(path: Path) -> Config:
    """Read a YAML config.

    Raises:
        ConfigError: the file is missing, is no YAML, or has unknown or unusable settings.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}). Give the path of a config; `genrecall "
            "init` writes one."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text ({error}). Save it as UTF-8.") from error
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {_yaml_problem(error)}.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no settings; `genrecall init` writes a commented config.")
    return parse_config(_expand(values, path), folder=path.parent, name=str(path))


def parse_config(values: Mapping[str, Any], *, folder: Path, name: str) -> Config:
    """Check settings and resolve their paths against `folder`.

    Raises:
        ConfigError: unknown or unusable settings; `name` says whose.
    """
    try:
        return Config.model_validate(values, context={FOLDER: folder.resolve()})
    except ValidationError as error:
        problems = "\n".join(f"  {_describe(problem)}" for problem in error.errors())
        raise ConfigError(f"{name} cannot be used:\n{problems}") from error


def literal(text: str) -> str:
    """Write a text so that a config reads it as it stands, whatever variables it seems to name.

    >>> literal("${SHOP}.csv")
    '$${SHOP}.csv'
    """
    return _VARIABLE.sub(lambda match: f"${match[0]}", text)


def _expand(value: Any, path: Path) -> Any:
    """Replace `${VAR:-default}` in every text; `$${` stands for `${`."""
    if isinstance(value, dict):
        return {key: _expand(inner, path) for key, inner in value.items()}
    if isinstance(value, list):
        return [_expand(inner, path) for inner in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        escaped, name, default = match.groups()
        if escaped:
            return match[0][1:]
        found = os.environ.get(name) or default
        if found is None:
            raise ConfigError(
                f"{path}: the environment variable {name} is not set. Set it, or write "
                f"${{{name}:-default}}; $${{{name}}} where this is meant literally."
            )
        return found

    return _VARIABLE.sub(replace, value)


def _yaml_problem(error: yaml.YAMLError) -> str:
    """One line about what YAML could not read, and where."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())


def _describe(problem: ErrorDetails) -> str:
    """One line about one problem: where, what was given, what is allowed."""
    where = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        if told := moved(where):
            return f"{told}; move it there"
        known = list(_section_at(where[:-1]).model_fields)
        return f"{'.'.join(where)}: {unknown_name('setting', where[-1], known)}"
    if problem["type"] == "model_type" and (told := moved(where)):
        return f"{told}; move it there"
    given = problem["input"]
    shown = "" if isinstance(given, dict) else f" (given: {given!r})"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{'.'.join(where) or 'config'}: {message}{shown}"


def _section_at(where: Sequence[str]) -> type[BaseModel]:
    """The section of the config that a path of names leads to."""
    section: type[BaseModel] = Config
    for name in where:
        annotation = section.model_fields[name].annotation
        # `TableSource | None` is the section TableSource.
        parts = [part for part in (annotation, *get_args(annotation)) if isinstance(part, type)]
        section = next(part for part in parts if issubclass(part, BaseModel))
    return section
