"""Searching in one step, and scoring without any search."""

import numpy as np
import torch

from genrecall.decode.reference import ReferenceEngine


def search(generator, prompts, **options):
    """Beams of prompts."""
    return ReferenceEngine(generator).search(generator.read(prompts), **options)


def advance(generator, state, rows, nodes):
    return generator.advance(state, torch.tensor(rows), torch.tensor(nodes))


def look_ahead_of(generator, prompts):
    """What the look-ahead of a compact generator says of all SIDs, float32 `[Q, S]`."""
    read = generator.read(prompts).state
    return generator.policy.rooted(read).ahead.of_sids().numpy()


def score_all(generator, prompt):
    """Log-probability of every SID, one after another along its own codes: float32 `[S]`."""
    scores, trie = [], generator.trie
    reading = generator.read([prompt])
    for first, second, third in trie.path(np.arange(len(trie))).tolist():
        state, of_second = advance(generator, reading.state, [0], [first])
        _, of_third = advance(generator, state, [0], [second])
        place = second - trie.offsets[1][first], third - trie.offsets[2][second]
        scores.append((reading.step[0, first] + of_second[place[0]] + of_third[place[1]]).item())
    return np.array(scores, dtype=np.float32)
