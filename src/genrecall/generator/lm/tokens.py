"""Token ids of the `lm` family: subwords of text, a token that asks for a SID, one per SID code.

The vocabulary ends in one block: `<sid>`, then `<c1_0>`, `<c1_1>`, … of all three levels in the
order of `SidSpace.token`. So the codes of a level are a slice of the embedding table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from genrecall.foundation.errors import ConfigError
from genrecall.foundation.libraries import lm_library
from genrecall.foundation.sid import SidSpace
from genrecall.generator.prompts import WrittenPrompt

START: Final = "<sid>"
"""Ends a prompt and asks for the SID."""

_PAD: Final = "<pad>"
_CODE: Final = re.compile("<[^>]+>")


def sid_tokens(space: SidSpace) -> list[str]:
    """The names of all codes, level by level; the three of a SID in a row are its string form.

    >>> sid_tokens(SidSpace((2, 1, 2)))
    ['<c1_0>', '<c1_1>', '<c2_0>', '<c3_0>', '<c3_1>']
    """
    return [
        f"<c{level}_{code}>"
        for level, size in enumerate(space.sizes, start=1)
        for code in range(size)
    ]


def train_tokenizer(texts: Iterable[str], *, vocabulary: int) -> Any:
    """A byte-level BPE of the shop's own words, which knows no unknown character.

    Args:
        texts: titles and queries; upper and lower case are one.
        vocabulary: subwords to learn.

    Returns:
        A `PreTrainedTokenizerFast` of transformers.
    """
    tokenizers = lm_library("tokenizers")
    models, normalizers = tokenizers.models, tokenizers.normalizers
    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = lm_library("tokenizers.trainers").BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[_PAD],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return lm_library("transformers").PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token=_PAD)


def add_sid_tokens(tokenizer: Any, space: SidSpace) -> int:
    """Append `<sid>` and the codes of a space to a vocabulary that has none yet.

    Returns:
        Token id of `<sid>`; the codes follow it.

    Raises:
        ConfigError: the vocabulary has SID tokens already.
    """
    names = [START, *sid_tokens(space)]
    taken = [name for name in names if name in tokenizer.get_vocab()]
    if taken:
        raise ConfigError(
            f"the pretrained model has the token {taken[0]} already: it was trained on the SIDs of "
            "another catalog. Name the model that it was made from in `pretrained`."
        )
    start = len(tokenizer)
    added = lm_library("tokenizers").AddedToken
    # Special ones are told from the same letters in a text, see `encode`.
    special = [added(name, normalized=False, special=True) for name in names]
    tokenizer.add_tokens(special, special_tokens=True)
    return start


def encode(
    tokenizer: Any, prompts: Sequence[WrittenPrompt], *, start: int, longest: int
) -> list[list[int]]:
    """Token ids of prompts, each ending in `<sid>`.

    What looks like a special token in a text, of a SID or of the model's own, is read as text.

    Args:
        tokenizer: of transformers, with SID tokens.
        prompts: as written by `write_prompt`.
        start: token id of `<sid>`.
        longest: subwords to keep of a prompt, counted from its end.
    """
    head = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    backend = tokenizer.backend_tokenizer
    backend.encode_special_tokens = True  # not kept on disk, and the wrapper resets it
    texts = [" ", *(part for prompt in prompts for part in (prompt.before, prompt.text))]
    encoded = backend.encode_batch_fast(texts, add_special_tokens=False)
    blank, *parts = [encoding.ids for encoding in encoded]
    ids = (
        [*before, *_sid_ids(backend, prompt.sids, blank), *text]
        for prompt, before, text in zip(prompts, parts[::2], parts[1::2], strict=True)
    )
    return [[*head, *of_prompt[-longest:], start] for of_prompt in ids]


def _sid_ids(backend: Any, sids: Sequence[str], blank: Sequence[int]) -> list[int]:
    """Token ids of SIDs with blanks between them."""
    ids: list[int] = []
    for place, sid in enumerate(sids):
        ids += blank if place else []
        ids += [backend.token_to_id(code) for code in _CODE.findall(sid)]
    return ids
