"""What a query costs by a language model on one core: transformers, the reference and the engine.

    python -m benchmarks.lm_decoding [--beam 50] [--batch 16] [--json FILE]

An untrained model over SIDs drawn by chance generates SIDs for prompts of one length, each way in
turn, query by query and then some at once, in one run on one thread. `transformers.generate` is
held to the SIDs by a prefix function over a ready dictionary; it scores the whole vocabulary.
CTranslate2, if it is installed, is held to nothing: see `benchmarks/ctranslated.py`. The others
read the prompt anew for each search, which counts. Figures are milliseconds of processor time for
one prompt. All queries of a way cost the same, so the fastest of them is told, which other work on
the machine disturbed least, and compared; the median stands beside it.

`arithmetic` is how long the products of the layers would take at the rate of a large matrix
product, with the prompt read once. An untrained model finds all codes about as likely, so nothing
can be left out; with `--sharpness` its scores of codes are multiplied, as if it had learned some.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from benchmarks import ctranslated
from benchmarks.command import positive, write_figures
from benchmarks.figures import say_all
from benchmarks.markdown import markdown_table
from genrecall.data.tables import ITEMS, Catalog
from genrecall.decode.base import Beams, Engine
from genrecall.decode.lm.engine import LmEngine
from genrecall.decode.reference import ReferenceEngine
from genrecall.foundation.sid import LEVELS, SidSpace, SidTable
from genrecall.foundation.threads import one_thread
from genrecall.generator.history import ShopperSettings
from genrecall.generator.lm.config import LmConfig, Shape
from genrecall.generator.lm.generator import LmGenerator
from genrecall.generator.lm.model import LmModel, from_scratch
from genrecall.generator.lm.tokens import add_sid_tokens, train_tokenizer
from genrecall.generator.prompts import Prompt
from genrecall.index.live import LiveItems
from genrecall.offline.decoding import measured_machine
from genrecall.offline.generate import GenerateEngine

_SPACE: Final = SidSpace((256, 32, 32))
_COLUMNS: Final = {
    "at_once": "prompts at once",
    "ms": "ms",
    "median": "median",
    "below": "× below generate",
    "arithmetic": "of the arithmetic",
    "same": "same beams",
}

Search = Callable[[Sequence[Prompt]], Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all ways, and print a table."""
    given = _parser().parse_args(arguments)
    settings = {name: value for name, value in vars(given).items() if name != "json"}
    print(say_all(settings))
    with one_thread():
        found = measure(given)
    print(say_all(found["machine"], ".3g"))
    if not ctranslated.is_installed():
        print(ctranslated.MISSING)
    rows = [
        [name, *(shown(way[column]) for column in _COLUMNS)] for name, way in found["ways"].items()
    ]
    print(*markdown_table(("", *_COLUMNS.values()), rows), sep="\n")
    write_figures(given, {"settings": settings, **found})


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of each way, and what of the arithmetic limit that is."""
    generator = drawn_generator(given)
    prompts = drawn_prompts(given.queries * given.batch, given.prompt)
    ours = _ours(generator, given.beam)
    generate = partial(_search, generator, GenerateEngine(generator), given.beam)
    with ctranslated.searches(generator, given.beam) as others:
        theirs = {f"CTranslate2, {name}, no trie": of for name, of in others.items()}
        alone: dict[str, Search] = {"generate": generate, **ours, **theirs}
        taken = _taken(alone, prompts[: given.queries], 1)
        taken |= _taken({**ours, **theirs}, prompts, given.batch)
    machine = measured_machine()._asdict()
    least = 1e3 * products(generator.lm, given.prompt, given.beam) / machine["products_per_second"]
    slowest = taken["generate"].ms
    figures = {
        name: {
            "at_once": of.at_once,
            "ms": of.ms,
            "median": of.median,
            "below": slowest / of.ms,
            "arithmetic": least / of.ms,
            "same": of.same(taken["reference"]) if name.startswith("engine") else None,
        }
        for name, of in taken.items()
    }
    return {"machine": machine | {"arithmetic_ms": least}, "ways": figures}


@dataclass
class Taken:
    """What a way has taken.

    Attributes:
        at_once: prompts of a search.
        seconds: for one prompt, of each search.
        found: by each.
    """

    at_once: int
    seconds: list[float] = field(default_factory=list)
    found: list[Any] = field(default_factory=list)

    @property
    def ms(self) -> float:
        """Of the fastest."""
        return 1e3 * float(np.min(self.seconds))

    @property
    def median(self) -> float:
        """Milliseconds, likewise."""
        return 1e3 * float(np.median(self.seconds))

    def same(self, expected: Taken) -> float:
        """Mean share of the expected SIDs that are found."""
        pairs = zip(self._leaves(), expected._leaves(), strict=False)
        return float(np.mean([np.isin(a, b).mean() for b, a in pairs]))

    def _leaves(self) -> NDArray[np.int64]:
        return np.concatenate([beams.leaves for beams in self.found])


def _taken(ways: dict[str, Search], prompts: Sequence[Prompt], at_once: int) -> dict[str, Taken]:
    """Each way over all prompts, so many at once, after a search that warms up."""
    taken = {name: Taken(at_once) for name in ways}
    for search in ways.values():
        search(prompts[:at_once])
    for first in range(0, len(prompts), at_once):
        some = prompts[first : first + at_once]
        for name, search in ways.items():
            # Of the process: CTranslate2 computes in a thread of its own.
            start = time.process_time()
            found = search(some)
            taken[name].seconds.append((time.process_time() - start) / len(some))
            taken[name].found.append(found)
    return {name if at_once == 1 else f"{name}, batches": of for name, of in taken.items()}


def products(lm: LmModel, prompt: int, beam: int) -> int:
    """Of the layers' matrices, for a prompt that is read once and all codes but the last."""
    layers: Any = lm.body.layers
    weights = sum(of.numel() for of in layers.parameters() if of.dim() == 2)
    return int(weights) * (prompt + beam * (LEVELS - 1))


def drawn_generator(
    given: argparse.Namespace, make: Callable[[LmConfig, Any], Any] | None = None
) -> LmGenerator:
    """An untrained model over SIDs drawn by chance.

    Args:
        given: sizes of both.
        make: the model, by its settings and its tokenizer; None for one of Llama.
    """
    rng = np.random.default_rng(given.seed)
    # As many words as make a vocabulary of that size.
    texts = [_word(rng) for _ in range(2 * given.vocabulary)]
    tokenizer = train_tokenizer(texts, vocabulary=given.vocabulary)
    start = add_sid_tokens(tokenizer, _SPACE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(given.seed)
        config = LmConfig(max_tokens=given.prompt - 1)
        causal = (make or partial(_llama, given))(config, tokenizer)
    lm = LmModel(causal, tokenizer, space=_SPACE, start=start, max_tokens=config.max_tokens)
    with torch.no_grad():
        body: Any = lm.body
        body.norm.weight.mul_(given.sharpness)
    packed = rng.choice(int(np.prod(_SPACE.sizes)), given.sids, replace=False)
    table = SidTable(_SPACE, _SPACE.unpack(np.sort(packed)))
    names = pl.Series([f"item {number}" for number in range(given.sids)])
    frame = pl.DataFrame({"item_id": names, "title": names}, schema_overrides=ITEMS)
    items = LiveItems(Catalog(frame).completed(), table, np.zeros((given.sids, 1), np.float32))
    shopper = ShopperSettings(frozenset(), history=0)
    return LmGenerator(lm, _NoViews(), items, shopper=shopper)  # type: ignore[arg-type]


def _llama(given: argparse.Namespace, config: LmConfig, tokenizer: Any) -> Any:
    return from_scratch(Shape(given.layers, given.width, given.heads), config, tokenizer)


class _NoViews:
    """Queries without vectors, which no search asks for."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.zeros((len(texts), 1), dtype=np.float32)


def _word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 6))


def drawn_prompts(count: int, length: int) -> list[Prompt]:
    """Prompts of so many tokens, with the one that asks for a SID."""
    rng, prompts = np.random.default_rng(1), []
    for _ in range(count):
        # Of more subwords than are kept the end is read.
        prompts.append(Prompt(" ".join(_word(rng) for _ in range(length))))
    return prompts


def _ours(generator: LmGenerator, beam: int) -> dict[str, Search]:
    engines: dict[str, Engine] = {
        "reference": ReferenceEngine(generator),
        "engine": LmEngine(generator),
        "engine, int8": LmEngine(generator, int8=True),
    }
    return {name: partial(_search, generator, engine, beam) for name, engine in engines.items()}


def _search(generator: LmGenerator, engine: Engine, beam: int, prompts: Sequence[Prompt]) -> Beams:
    return engine.search(generator.read(prompts), beam=beam)


def shown(value: float | None) -> str:
    """A figure of three places; nothing where there is none."""
    return "" if value is None else f"{value:.3g}"


def lm_parser(
    name: str, says: str | None, sizes: Sequence[tuple[str, int, str]]
) -> argparse.ArgumentParser:
    """Of a benchmark of an untrained model.

    Args:
        name: of its module in `benchmarks`.
        says: what it is, as it is written there.
        sizes: options by name, with their defaults and what they say.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=says,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for option, default, what in sizes:
        told = f"{what} ({default})"
        parser.add_argument(f"--{option}", type=positive, default=default, help=told)
    parser.add_argument("--sharpness", type=float, default=1.0, help="of the model's scores (1)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and SIDs (0)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser


def _parser() -> argparse.ArgumentParser:
    sizes = (
        ("layers", 8, "of the model"),
        ("width", 256, "of it"),
        ("heads", 4, "of its attention"),
        ("vocabulary", 8192, "subwords"),
        ("sids", 20_000, "in use"),
        ("prompt", 30, "tokens of a prompt, with the one that asks for a SID"),
        ("beam", 50, "beams"),
        ("queries", 20, "that are measured, and batches"),
        ("batch", 16, "prompts at once"),
    )
    return lm_parser("lm_decoding", __doc__, sizes)


if __name__ == "__main__":
    main()
