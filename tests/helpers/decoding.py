"""Searching in one step, and scoring without any search."""

import numpy as np
import torch

from genrecall.decode.reference import ReferenceEngine


def search(generator, prompts, **options):
    """Beams of prompts."""
    engine = ReferenceEngine(generator, generator.items.trie)
    return engine.search(generator.read(prompts), **options)


def advance(generator, state, rows, codes):
    return generator.advance(state, torch.tensor(rows), torch.tensor(codes))


def score_all(generator, prompt):
    """Log-probability of every SID, one after another along its own codes: float32 `[S]`."""
    scores = []
    reading = generator.read([prompt])
    for c1, c2, c3 in generator.items.trie.sids.tolist():
        state, second = advance(generator, reading.state, [0], [c1])
        _, third = advance(generator, state, [0], [c2])
        scores.append((reading.step[0, c1] + second[0, c2] + third[0, c3]).item())
    return np.array(scores, dtype=np.float32)
