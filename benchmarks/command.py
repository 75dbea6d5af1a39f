"""What the benchmarks share on the command line: arguments, settings, files."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from genrecall import __version__
from genrecall.bundle import OpenBundle, open_bundle
from genrecall.channels.base import Channel
from genrecall.config import Config, load_config
from genrecall.data.load import load_shop
from genrecall.data.shop_data import ShopData
from genrecall.evaluate.names import GENERATIVE
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import ConfigError, unknown_name
from genrecall.foundation.files import write_json, write_text
from genrecall.offline.folds import FoldedChannel
from genrecall.pipeline.demo import make_demo

Cell = TypeVar("Cell")

DEMO: Final = "demo"
"""Stands for a config: that of `genrecall demo`, without alignment."""

SUPERVISED: Final = {"generator": {"align": {"steps": 0}}}
"""Nothing is aligned; other benchmarks than that of alignment measure the stages before it."""


def add_arguments(parser: ArgumentParser, *, out: str) -> None:
    """What every benchmark with hidden items takes."""
    parser.add_argument("config", metavar="CONFIG", help=f"a YAML config, or {DEMO!r}")
    parser.add_argument("--share", type=float, default=0.1, help="of the items to hide (0.1)")
    add_shop_arguments(parser, out=out, seeds="each hides others")


def add_shop_arguments(parser: ArgumentParser, *, out: str, seeds: str) -> None:
    """Repetitions, `seeds` says what they are; where to write; how large the demo's shop is."""
    parser.add_argument("--seeds", type=positive, default=1, help=f"repetitions, {seeds} (1)")
    parser.add_argument("--out", type=Path, default=Path(out), help=f"where to write ({out})")
    parser.add_argument("--items", type=int, default=8000, help=f"of the {DEMO} shop (8000)")
    parser.add_argument("--searches", type=int, default=40_000, help=f"of the {DEMO} shop (40000)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")


def bundle_parser(name: str, says: str | None) -> ArgumentParser:
    """Of a benchmark of a bundle, with the figures as JSON.

    Args:
        name: of its module in `benchmarks`.
        says: what it is, as it is written there.
    """
    parser = ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=says,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help="a bundle; its run beside it")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser


def open_run(bundle: Path) -> tuple[OpenBundle, ShopData]:
    """A bundle, on one thread, and the shop of the run that it lies in."""
    data = open_artifact(bundle.parent / "stages/data", kind="data")
    return open_bundle(bundle, threads=1), load_shop(data)


def channel_of(bundle: OpenBundle, name: str, *, split: str = "validation") -> Channel:
    """A channel of a bundle to measure on a split: weights have seen none of its queries.

    Args:
        bundle: of a run.
        name: `bm25`, `dense` or `generative`.
        split: on which the latter's weights were fitted, if it is validation.
    """
    if name == GENERATIVE:
        fitted_there = split == "validation"
        return FoldedChannel(bundle.of_folds() if fitted_there else [bundle.generative()])
    return bundle.dense() if name == "dense" else bundle.lexical()


def positive(text: str) -> int:
    """A whole number of at least 1, for `argparse`."""
    number = int(text)
    if number < 1:
        raise ArgumentTypeError(f"{text} is not at least 1")
    return number


def read_config(arguments: Namespace) -> Config:
    """The config that the arguments name; the demo's shop is made where it is missing."""
    if arguments.config == DEMO:
        folder = arguments.out.resolve() / "shop"
        config = make_demo(folder, items=arguments.items, searches=arguments.searches, seed=0)
        return changed(config, SUPERVISED)
    return load_config(Path(arguments.config))


def repetition(config: Config, number: int, **changes: object) -> Config:
    """The config of one repetition: another training seed, and sections that are changed."""
    return config.model_copy(update={"seed": config.seed + number, **changes})


def changed(config: Config, *changes: Mapping[str, Any]) -> Config:
    """The config with other settings, given as in a YAML file; later changes win.

    What was left to the family of the generator is as if it had been given.
    """
    settings = config.model_dump()
    for some in changes:
        _merge(settings, some)
    return Config.model_validate(settings)


def _merge(settings: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, Mapping):
            _merge(settings[key], value)
        else:
            settings[key] = value


def settings_of(given: Namespace, config: Config) -> dict[str, Any]:
    """What every such benchmark was measured with."""
    return {
        "version": __version__,
        "config": str(given.config),
        "share": given.share,
        "seeds": given.seeds,
        "embed.in_domain.steps": config.embed.in_domain.steps,
        "items_per_sid": config.quantize.items_per_sid,
    }


def choose_cells(names: str | None, known: Mapping[str, Cell]) -> list[Cell]:
    """The cells of these comma-separated names; all where none is given.

    Raises:
        ConfigError: there is no such cell.
    """
    wanted = list(known) if names is None else names.split(",")
    for name in wanted:
        if name not in known:
            raise ConfigError(unknown_name("cell", name, list(known)))
    return [known[name] for name in wanted]


def write_figures(given: Namespace, result: Mapping[str, Any]) -> None:
    """Write the figures where `--json` says, if it does."""
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        write_json(given.json, dict(result))
        print(f"wrote {given.json}")


def write_page(path: Path | None, text: str) -> None:
    """Write a page for `docs/`, if it is wanted."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        print(f"wrote {path}")
