"""Vectors kept by the content they were made of, so that an unchanged text is encoded once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from genrecall.embed.frozen import Reader

_KEY_BYTES = 16


class VectorCache:
    """Vectors of one reader on disk.

    Args:
        folder: where the cache lives; made when needed.
        digest: hash of the reader's files; another reader never sees these vectors.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self._path = folder / f"{digest[:16]}.npz"

    def encode(
        self, encode: Callable[[list[str]], NDArray[np.float32]], texts: Sequence[str]
    ) -> NDArray[np.float32]:
        """Vectors of texts, float32 `[n, R]`; only those not seen before are encoded."""
        wanted = np.array([_key(text) for text in texts], dtype=f"V{_KEY_BYTES}")
        known_keys, known_vectors = self._read()
        distinct, first, back = np.unique(wanted, return_index=True, return_inverse=True)
        missing = np.flatnonzero(~np.isin(distinct, known_keys))
        if len(missing) or not len(known_keys):
            fresh = encode([texts[first[i]] for i in missing])
            known_keys = np.concatenate([known_keys, distinct[missing]])
            # Vectors may be gigabytes: no copy of them is made where there were none before.
            known_vectors = np.concatenate([known_vectors, fresh]) if len(known_vectors) else fresh
            del fresh
            self._write(known_keys, known_vectors)
        order = np.argsort(known_keys)
        place = order[np.searchsorted(known_keys, distinct, sorter=order)]
        vectors: NDArray[np.float32] = known_vectors[place[back]]
        return vectors

    def _read(self) -> tuple[NDArray[np.void], NDArray[np.float32]]:
        try:
            with self._path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                return stored["keys"], stored["vectors"]
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, BadZipFile):
            pass  # there is none, or a damaged one: all that it held can be made again
        return np.empty(0, dtype=f"V{_KEY_BYTES}"), np.empty((0, 0), dtype=np.float32)

    def _write(self, keys: NDArray[np.void], vectors: NDArray[np.float32]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._path.with_suffix(f".{os.getpid()}.tmp")
        with scratch.open("wb") as stream:
            np.savez(stream, keys=keys, vectors=vectors)
        scratch.replace(self._path)


def with_cache(reader: Reader, cache: VectorCache | None) -> Reader:
    """A reader that reads no title twice; itself without a cache."""
    return reader if cache is None else _CachedTitles(reader, cache)


class _CachedTitles:
    """A reader that finds what it made of titles before."""

    def __init__(self, reader: Reader, cache: VectorCache) -> None:
        self._reader, self._cache = reader, cache

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Reader.encode`."""
        return self._reader.encode(texts)

    def encode_items(self, titles: Sequence[str]) -> NDArray[np.float32]:
        """See `Reader.encode_items`."""
        return self._cache.encode(self._reader.encode_items, titles)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:_KEY_BYTES]
