"""How fast groups are rolled out and learned from; ratios within one run.

    python -m benchmarks.alignment.speed compact runs/homedepot/bundle
    python -m benchmarks.alignment.speed lm runs/homedepot/bundle

`compact`: steps of EG-GRPO in the SID space of a bundle, on its own queries. `lm`: groups of SIDs
from a language model with random weights in that SID space, by our sampler (one reading, two
passes) and by `transformers.generate` with a prefix function, and whether both give a SID the same
log-probability.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.command import positive
from benchmarks.figures import say_all
from genrecall.align.compact import CompactLearner
from genrecall.align.pages import Pages
from genrecall.align.roller import Roller
from genrecall.align.step import step_loss
from genrecall.bundle import OpenBundle, open_bundle
from genrecall.data.load import load_tables
from genrecall.data.tables import Searches
from genrecall.decode.sample import sample
from genrecall.foundation.artifact import open_artifact
from genrecall.generator.align_config import AlignConfig
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.history import ShopperSettings
from genrecall.generator.lm.config import LmConfig
from genrecall.generator.lm.generator import LmGenerator
from genrecall.generator.lm.model import LmModel
from genrecall.generator.prompts import Prompt, WrittenPrompt, write_prompt


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure one family."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.alignment.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("family", choices=("compact", "lm"))
    parser.add_argument("bundle", type=Path, help="whose SIDs and queries; its run beside it")
    parser.add_argument("--steps", type=positive, default=100, help="measured (100)")
    parser.add_argument("--searches", type=positive, default=64, help="of a step (64)")
    parser.add_argument("--group", type=positive, default=8, help="SIDs of a search (8)")
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--size", choices=("nano", "tiny"), default="nano", help="of lm (nano)")
    given = parser.parse_args(arguments)
    bundle = open_bundle(given.bundle, threads=given.threads)
    data = open_artifact(given.bundle.parent / "stages/data", kind="data")
    searches = load_tables(data)[1].of("train")
    print(say_all({"sizes": bundle.items.table.space.sizes, "SIDs": len(bundle.items.trie)}))
    print(say_all({name: getattr(given, name) for name in ("searches", "group", "threads")}))
    if given.family == "compact":
        _compact(bundle, searches, given)
    else:
        _lm(bundle, searches, given)


def _compact(bundle: OpenBundle, searches: Searches, given: argparse.Namespace) -> None:
    generator = bundle.generative(bundle.supervised[-1]).generator
    assert isinstance(generator, CompactGenerator)
    learner = CompactLearner(generator)
    config = AlignConfig(steps=given.steps, searches=given.searches, group=given.group)
    prompts = [Prompt(query) for query in searches.queries]
    pages = Pages(prompts, searches, bundle.items.table.sid_of_item)
    roller = Roller(learner.policy, pages, config)
    optimizer = learner.optimizer(config)

    def step(number: int) -> None:
        rollout = roller.roll(np.random.default_rng([0, number]))
        loss = step_loss(learner.policy, learner.reference, rollout, config).loss
        optimizer.step([loss], number)

    wall, processor = _time(step, given.steps)
    print(
        f"1,000 steps of {given.searches * given.group} rollouts: {wall:,.0f} s, "
        f"{processor:,.0f} s of processor time"
    )


def _lm(bundle: OpenBundle, searches: Searches, given: argparse.Namespace) -> None:
    config = LmConfig(size=given.size)
    lm = LmModel.make(config, texts=searches.queries, space=bundle.items.table.space, seed=0)
    generator = LmGenerator(lm, bundle.encoder, bundle.items, shopper=ShopperSettings())
    trie = bundle.items.trie

    def prompts(number: int) -> list[Prompt]:
        chosen = np.random.default_rng(number).integers(0, len(searches), given.searches)
        return [Prompt(searches.queries[search]) for search in chosen.tolist()]

    def ours(number: int) -> Any:
        rng = np.random.default_rng([1, number])
        reading = generator.read(prompts(number))
        return sample(generator, reading, size=given.group, rng=rng)

    theirs = _generate(lm, trie, given.group)

    def by_generate(number: int) -> Any:
        sids = bundle.items.table.names
        return theirs([write_prompt(prompt, sids=sids) for prompt in prompts(number)])

    leaves, logprob = by_generate(0)
    found = _logprobs(generator, prompts(0), leaves)
    print(f"log-probabilities differ by {np.abs(found - logprob).max():.1e} at most")
    steps = max(given.steps // 10, 2)
    wall, processor = _time(ours, steps)
    wall_theirs, processor_theirs = _time(by_generate, steps)
    print(
        f"{given.searches * given.group} rollouts: {wall:.0f} ms ours, {wall_theirs:.0f} ms by "
        f"generate, {wall_theirs / wall:.1f} times as long ({processor_theirs / processor:.1f} of "
        "processor time)"
    )


def _generate(lm: LmModel, trie: Any, group: int) -> Callable[[list[WrittenPrompt]], Any]:
    """Sampling by transformers; the prefix function lets through what the trie has."""
    first = [int(lm.token(level, torch.tensor(0))) for level in range(3)]

    def run(written: list[WrittenPrompt]) -> Any:
        ids = lm.encode(written)
        longest = max(map(len, ids))
        pad = lm.tokenizer.pad_token_id or 0
        padded = torch.tensor([[pad] * (longest - len(row)) + row for row in ids])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in ids])

        def allowed(_: int, tokens: torch.Tensor) -> list[int]:
            codes = tokens[longest:].tolist()
            node = 0
            for level, token in enumerate(codes):
                node = int(trie.child(level, np.array([node]), np.array([token - first[level]]))[0])
            level = len(codes)
            return [first[level] + code for code in trie.children(level, np.array([node])).code]

        with torch.inference_mode():
            out = lm.causal.generate(
                padded,
                attention_mask=mask,
                do_sample=True,
                top_k=0,
                num_return_sequences=group,
                max_new_tokens=3,
                prefix_allowed_tokens_fn=allowed,
                return_dict_in_generate=True,
                output_logits=True,
                pad_token_id=pad,
            )
        codes = out.sequences[:, longest:] - torch.tensor(first)
        total = torch.zeros(len(codes))
        for level, logits in enumerate(out.logits):
            of_level = logits[:, first[level] : first[level] + lm.space.sizes[level]].float()
            total += of_level.log_softmax(-1).gather(1, codes[:, level : level + 1])[:, 0]
        node = np.zeros(len(codes), dtype=np.int64)
        for level in range(3):
            node = trie.child(level, node, codes[:, level].numpy())
        return node.reshape(-1, group), total.view(-1, group).numpy()

    return run


def _logprobs(generator: LmGenerator, prompts: list[Prompt], leaves: Any) -> Any:
    from genrecall.align.scoring import score

    with torch.inference_mode():
        return score(generator, prompts, leaves).logprob.numpy()


def _time(step: Callable[[int], Any], steps: int) -> tuple[float, float]:
    """Wall and processor time of a step, in milliseconds; the first three warm up."""
    for number in range(3):
        step(number)
    wall, processor = time.perf_counter(), time.process_time()
    for number in range(3, 3 + steps):
        step(number)
    return (
        1e3 * (time.perf_counter() - wall) / steps,
        1e3 * (time.process_time() - processor) / steps,
    )


if __name__ == "__main__":
    main()
