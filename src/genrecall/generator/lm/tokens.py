"""Token ids of the `lm` family: subwords of text, a token that asks for a SID, one per SID code.

The vocabulary ends in one block: `<sid>`, then `<c1_0>`, `<c1_1>`, … of all three levels in the
order of `SidSpace.token`. So the codes of a level are a slice of the embedding table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from genrecall.foundation.errors import ConfigError
from genrecall.foundation.libraries import lm_library
from genrecall.foundation.sid import SidSpace

START: Final = "<sid>"
"""Ends a prompt and asks for the SID."""

_PAD: Final = "<pad>"


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
    tokenizer.add_tokens([added(name, normalized=False) for name in names])
    return start


def encode(tokenizer: Any, texts: Sequence[str], *, start: int, longest: int) -> list[list[int]]:
    """Token ids of prompts, each ending in `<sid>`.

    Args:
        tokenizer: of transformers, with SID tokens.
        texts: prompts as written by `write_prompt`.
        start: token id of `<sid>`.
        longest: subwords to keep of a prompt, counted from its end.
    """
    head = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    encodings = tokenizer.backend_tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    return [[*head, *encoding.ids[-longest:], start] for encoding in encodings]
