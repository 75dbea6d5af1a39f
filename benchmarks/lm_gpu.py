"""How many queries a second a language model answers on a GPU, and after how long.

    python -m benchmarks.lm_gpu [--batches 1 8 32] [--json FILE]

An untrained model of the shape of Qwen2.5-0.5B over SIDs drawn by chance generates SIDs for
prompts of one length, batch after batch, by the engine that serves on a GPU, in each of its
precisions, and by the reference. `transformers.generate`, held to the SIDs by a prefix function,
does it one by one. Figures are milliseconds by the clock, from texts on the host to beams on the
host; `used` is which share of the device's peak the products of the layers make up.

Without a GPU all runs on one thread of a CPU, which checks that it runs and tells nothing else:
give small sizes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import torch

from benchmarks.command import positive, write_figures
from benchmarks.figures import say_all
from benchmarks.lm_decoding import drawn_generator, drawn_prompts, lm_parser, products, shown
from benchmarks.markdown import markdown_table
from genrecall.decode.base import Beams, Engine
from genrecall.decode.gpu.engine import GpuEngine
from genrecall.decode.reference import ReferenceEngine
from genrecall.foundation.libraries import lm_library
from genrecall.foundation.sid import LEVELS
from genrecall.foundation.threads import one_thread
from genrecall.generator.lm.config import LmConfig
from genrecall.generator.lm.generator import LmGenerator
from genrecall.generator.prompts import Prompt
from genrecall.offline.generate import GenerateEngine
from genrecall.supervised.lm.utilization import peak

Search = Callable[[Sequence[Prompt]], Beams]

_COMPARED: Final = 8  # prompts whose beams are compared with the reference's
_HEADINGS = ("", "batch", "p50 ms", "p99 ms", "queries/s", "used", "same beams")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all ways, and print a table."""
    given = _parser().parse_args(arguments)
    settings = {name: value for name, value in vars(given).items() if name != "json"}
    print(say_all(settings))
    with one_thread():
        found = measure(given)
    print(f"device: {found['device']}")
    rows = [
        [way["way"], str(way["batch"]), *(f"{way[of]:.3g}" for of in ("p50", "p99", "per_second"))]
        + [shown(way[of]) for of in ("used", "same")]
        for way in found["ways"]
    ]
    print(*markdown_table(_HEADINGS, rows), sep="\n")
    write_figures(given, {"settings": settings, **found})


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of a batch of each way."""
    drawn = drawn_generator(given, partial(_qwen, given))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = drawn.with_weights(drawn.lm.to(device))
    prompts = drawn_prompts(max(given.batches) * given.rounds, given.prompt)
    expected = _search(generator, ReferenceEngine(generator), given.beam, prompts[:_COMPARED])
    generate = partial(_search, generator, GenerateEngine(generator), given.beam)
    # Its scores are those of a softmax over all words, so its beams are others.
    ways = [_paced("generate", generate, prompts, 1, given)]
    multiplied = 2 * products(generator.lm, given.prompt, given.beam)
    for name, engine, dtype in _engines(generator):
        search = partial(_search, generator, engine, given.beam)
        most = peak(device, dtype)
        for batch in given.batches:
            way = _paced(name, search, prompts, batch, given)
            way["used"] = multiplied * way["per_second"] / most.flops
            way["same"] = _same(search(prompts[:_COMPARED]), expected)
            ways.append(way | {"peak": most.source})
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, one thread"
    return {"device": name, "ways": ways}


def _engines(generator: LmGenerator) -> Iterator[tuple[str, Engine, torch.dtype]]:
    yield "reference", ReferenceEngine(generator), torch.float32
    yield "engine, float32", GpuEngine(generator, dtype=torch.float32), torch.float32
    yield "engine, bfloat16", GpuEngine(generator, dtype=torch.bfloat16), torch.bfloat16


def _search(generator: LmGenerator, engine: Engine, beam: int, prompts: Sequence[Prompt]) -> Beams:
    return engine.search(generator.read(prompts), beam=beam)


def _same(beams: Beams, expected: Beams) -> float:
    """Mean share of the expected SIDs that are found."""
    pairs = zip(beams.leaves, expected.leaves, strict=True)
    return float(np.mean([np.isin(one, found).mean() for found, one in pairs]))


def _paced(
    name: str, search: Search, prompts: Sequence[Prompt], batch: int, given: argparse.Namespace
) -> dict[str, Any]:
    """Milliseconds of a batch, after one that warms up."""
    parts = [prompts[start : start + batch] for start in range(0, given.rounds * batch, batch)]
    search(parts[0])
    taken = []
    for part in parts:
        start = time.perf_counter()
        search(part)
        taken.append(1e3 * (time.perf_counter() - start))
    return {
        "way": name,
        "batch": batch,
        "p50": float(np.quantile(taken, 0.5)),
        "p99": float(np.quantile(taken, 0.99)),
        "per_second": 1e3 * batch * len(parts) / sum(taken),
        "used": None,
        "same": None,
    }


def _qwen(given: argparse.Namespace, config: LmConfig, tokenizer: Any) -> Any:
    transformers = lm_library("transformers")
    return transformers.Qwen2ForCausalLM(
        transformers.Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=given.width,
            intermediate_size=given.inner,
            num_hidden_layers=given.layers,
            num_attention_heads=given.heads,
            num_key_value_heads=given.key_heads,
            max_position_embeddings=config.max_tokens + 2 + LEVELS,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=None,
        )
    ).eval()


def _parser() -> argparse.ArgumentParser:
    sizes = (
        ("layers", 24, "of the model"),
        ("width", 896, "of it"),
        ("heads", 14, "of its attention"),
        ("key-heads", 2, "of keys and values"),
        ("inner", 4864, "width of its gated networks"),
        ("vocabulary", 8192, "subwords"),
        ("sids", 20_000, "in use"),
        ("prompt", 60, "tokens of a prompt, with the one that asks for a SID"),
        ("beam", 50, "beams"),
        ("rounds", 100, "batches that are measured"),
    )
    parser, told = lm_parser("lm_gpu", __doc__, sizes), "prompts at once (1 8 32)"
    several: dict[str, Any] = {"nargs": "+", "default": [1, 8, 32], "metavar": "N"}
    parser.add_argument("--batches", type=positive, help=told, **several)
    return parser


if __name__ == "__main__":
    main()
