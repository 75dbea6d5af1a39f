"""CTranslate2 beside our engines of language models: the same weights, searched otherwise.

CTranslate2 has no prefix function: its beam search cannot be held to a trie, nor to the codes of a
level (`suppress_sequences` forbids sequences that are listed, one by one). So it searches the whole
vocabulary at each step, and what it returns is mostly no SID. It does more than our engine: a
product with the whole output embedding for each beam and the choice among all its tokens. It does
less: no trie is walked and no SID looked up. With a small `--vocabulary` the first is little.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from genrecall.foundation.sid import LEVELS
from genrecall.generator.lm.generator import LmGenerator, LmRead
from genrecall.generator.prompts import Prompt

COMPUTED: Final = {"fp32": "float32", "int8": "int8_float32"}
"""How layers multiply, as we call it and as CTranslate2 does."""

MISSING: Final = "CTranslate2 is not installed and not compared: pip install 'genrecall[bench]'"

Search = Callable[[Sequence[Prompt]], Any]


def is_installed() -> bool:
    """Whether there is something to compare with."""
    return find_spec("ctranslate2") is not None


@contextmanager
def searches(generator: LmGenerator, beam: int) -> Iterator[dict[str, Search]]:
    """Beam searches of CTranslate2 in each of `COMPUTED`, while inside; none if it is missing."""
    if not is_installed():
        yield {}
        return
    import ctranslate2

    with tempfile.TemporaryDirectory() as folder:
        _convert(generator, Path(folder) / "model")
        yield {
            name: _search(
                generator,
                ctranslate2.Generator(
                    f"{folder}/model", compute_type=computed, inter_threads=1, intra_threads=1
                ),
                beam,
            )
            for name, computed in COMPUTED.items()
        }


def _convert(generator: LmGenerator, folder: Path) -> None:
    """Write the model as CTranslate2 reads it; the names of its tokens are their ids."""
    from ctranslate2.converters.transformers import LlamaLoader

    causal = copy.deepcopy(generator.lm.causal)  # of which the loader takes parts away
    config: Any = causal.config
    spec = LlamaLoader().get_model_spec(causal)
    names = [str(token) for token in range(config.vocab_size)]
    spec.register_vocabulary(names)
    spec.config.bos_token = spec.config.unk_token = names[0]
    spec.config.eos_token = names[0]
    spec.config.layer_norm_epsilon = config.rms_norm_eps
    spec.validate()
    spec.optimize(quantization=None)
    folder.mkdir()
    spec.save(str(folder))


def _search(generator: LmGenerator, of: Any, beam: int) -> Search:
    def search(prompts: Sequence[Prompt]) -> Any:
        read = generator.read(prompts).state
        assert isinstance(read, LmRead)
        return of.generate_batch(
            [[str(token) for token in ids] for ids in read.tokens],
            beam_size=beam,
            num_hypotheses=beam,
            max_length=LEVELS,
            min_length=LEVELS,
            length_penalty=0,
            include_prompt_in_result=False,  # the prompt is read at once
            return_scores=True,
        )

    return search
