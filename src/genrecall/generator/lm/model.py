"""The weights of the `lm` family: a causal language model with tokens for SIDs.

A SID is scored level by level: the log-softmax over the codes of one level is a product of the
hidden state with that level's slice of the output embedding. The model's own head, which scores the
whole vocabulary, is never called. On disk the model is a plain one of transformers, in safetensors.

Shapes: `R` rows, `L` tokens of a row, `W` width, `K_l` codes of level `l`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrecall.foundation.artifact import Artifact
from genrecall.foundation.errors import ArtifactError, ConfigError
from genrecall.foundation.files import write_json
from genrecall.foundation.libraries import lm_library, no_progress_bars
from genrecall.foundation.sid import LEVELS, SidSpace
from genrecall.generator.lm.config import SHAPES, LmConfig, Shape
from genrecall.generator.lm.pretrained import open_pretrained
from genrecall.generator.lm.tokens import add_sid_tokens, encode, train_tokenizer
from genrecall.generator.prompts import WrittenPrompt

_SETTINGS: Final = "lm.json"


class SidRows(nn.Module):
    """Embeddings of the SID tokens that are trained while all others are frozen.

    Attributes:
        read: as inputs, `[n, W]`.
        scored: as outputs, `[n, W]`; the same weights as `read` in a model with tied embeddings.
    """

    def __init__(self, read: Tensor, scored: Tensor, *, tied: bool) -> None:
        super().__init__()
        self.read = nn.Parameter(read.detach().clone())
        self.scored = self.read if tied else nn.Parameter(scored.detach().clone())


class LmModel(nn.Module):
    """A causal language model that reads prompts and scores SIDs.

    Args:
        causal: a causal language model of transformers whose vocabulary holds the SID tokens.
        tokenizer: its tokenizer.
        space: codebook sizes.
        start: token id of `<sid>`; the codes of the space follow it.
        max_tokens: subwords kept of a prompt.

    Attributes:
        dtype: of the matrix products of the layers; the weights stay as they are.
        sid_rows: trained in place of the model's own SID embeddings; None outside LoRA training.
    """

    def __init__(
        self, causal: Any, tokenizer: Any, *, space: SidSpace, start: int, max_tokens: int
    ) -> None:
        super().__init__()
        self.causal = causal
        self.tokenizer = tokenizer
        self.space = space
        self.start = start
        self.max_tokens = max_tokens
        self.dtype = torch.float32
        self.sid_rows: SidRows | None = None

    @classmethod
    def make(cls, config: LmConfig, *, texts: Iterable[str], space: SidSpace, seed: int) -> LmModel:
        """A model with new SID tokens, not yet trained on them.

        Args:
            config: pretrained or from scratch.
            texts: what a vocabulary from scratch is learned from.
            space: codebook sizes.
            seed: same seed, same weights.

        Raises:
            ConfigError: the pretrained model cannot be loaded or used, or a library is missing.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if config.pretrained is None:
                tokenizer = train_tokenizer(texts, vocabulary=config.vocabulary)
                start = add_sid_tokens(tokenizer, space)
                causal = from_scratch(SHAPES[config.size], config, tokenizer)
            else:
                causal, tokenizer = open_pretrained(config.pretrained)
                start = add_sid_tokens(tokenizer, space)
                _extend(causal, start=start, n_tokens=len(tokenizer))
        return cls(causal, tokenizer, space=space, start=start, max_tokens=config.max_tokens)

    @classmethod
    def load(cls, artifact: Artifact, *, space: SidSpace) -> LmModel:
        """Read what `save` wrote.

        Raises:
            ArtifactError: the weights are of another SID space.
            ConfigError: a library is missing.
        """
        settings = artifact.read_json(_SETTINGS)
        if settings["space"] != space.digest:
            raise ArtifactError(
                f"{artifact.path} was trained for another SID space than the catalog's "
                f"{space.sizes}. Run the generator stage again."
            )
        causal, tokenizer = open_pretrained(str(artifact.path))
        start, longest = settings["start"], settings["max_tokens"]
        return cls(causal, tokenizer, space=space, start=start, max_tokens=longest).eval()

    def save(self, folder: Path) -> None:
        """Write weights, tokenizer and settings into a new folder."""
        folder.mkdir()
        with no_progress_bars():
            self.causal.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        settings = {
            "space": self.space.digest,
            "start": self.start,
            "max_tokens": self.max_tokens,
        }
        write_json(folder / _SETTINGS, settings)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.embedding.device
        return device

    @property
    def tied(self) -> bool:
        """Whether tokens are read and scored by the same weights."""
        return self.head is self.embedding

    @property
    def embedding(self) -> Tensor:
        """What tokens are read by, `[V, W]`."""
        weight: Tensor = self.causal.get_input_embeddings().weight
        return weight

    @property
    def head(self) -> Tensor:
        """What tokens are scored by, `[V, W]`."""
        weight: Tensor = self.causal.get_output_embeddings().weight
        return weight

    @property
    def body(self) -> nn.Module:
        """The layers without the head."""
        body: nn.Module = self.causal.base_model
        return body

    def tables(self) -> list[Tensor]:
        """The embedding tables, of positions and of tokens, read or scored."""
        tables = [m.weight for m in self.causal.modules() if isinstance(m, nn.Embedding)]
        rows = [] if self.sid_rows is None else list(self.sid_rows.parameters())
        return [*tables, self.head, *rows]

    def encode(self, prompts: Sequence[WrittenPrompt]) -> list[list[int]]:
        """Token ids of prompts as written by `write_prompt`."""
        return encode(self.tokenizer, prompts, start=self.start, longest=self.max_tokens)

    def token(self, level: int, codes: Tensor) -> Tensor:
        """Token ids of codes of a level."""
        return codes + (self.start + 1 + self.space.token(level=level, code=0))

    def hidden(
        self, ids: Tensor, positions: Tensor, *, mask: Tensor | None, cache: Any = None
    ) -> Tensor:
        """Read tokens.

        Args:
            ids: token ids, int64 `[R, L]`.
            positions: of each token in its own text, int64 `[R, L]`.
            mask: which of the tokens in the cache and in `ids` each token sees, bool
                `[R, 1, L, cached + L]`; None for all up to itself.
            cache: a cache of transformers, which is filled; None to keep nothing.

        Returns:
            Hidden states, float32 `[R, L, W]`.
        """
        with torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16
        ):
            out = self.body(
                inputs_embeds=self._embed(ids),
                position_ids=positions,
                attention_mask=mask,
                cache=cache,
                use_cache=cache is not None,
            )
        hidden: Tensor = out.last_hidden_state.float()
        return hidden

    def logprobs(self, level: int, hidden: Tensor) -> Tensor:
        """Log-softmax over the codes of a level: float32 `[..., W]` to `[..., K_level]`."""
        first = self.space.token(level=level, code=0)
        rows = self._sid_block(self.head) if self.sid_rows is None else self.sid_rows.scored
        codes = rows[first : first + self.space.sizes[level]]
        return F.log_softmax(hidden @ codes.float().T, dim=-1)

    def free_sid_rows(self) -> None:
        """Train the SID tokens in weights of their own from here on."""
        read, scored = self._sid_block(self.embedding), self._sid_block(self.head)
        self.sid_rows = SidRows(read, scored, tied=self.tied)

    @torch.no_grad()
    def keep_sid_rows(self) -> None:
        """Write those weights back into the model."""
        if self.sid_rows is not None:
            self._sid_block(self.embedding).copy_(self.sid_rows.read)
            self._sid_block(self.head).copy_(self.sid_rows.scored)
            self.sid_rows = None

    def _sid_block(self, table: Tensor) -> Tensor:
        first = self.start + 1
        return table[first : first + self.space.n_tokens]

    def _embed(self, ids: Tensor) -> Tensor:
        embedded: Tensor = self.causal.get_input_embeddings()(ids)
        if self.sid_rows is None:
            return embedded
        code = ids - (self.start + 1)
        is_code = (code >= 0) & (code < self.space.n_tokens)
        own = F.embedding(torch.where(is_code, code, 0), self.sid_rows.read)
        return torch.where(is_code[..., None], own, embedded)


def from_scratch(shape: Shape, config: LmConfig, tokenizer: Any) -> Any:
    """Random weights with tied embeddings.

    The architecture is Llama's: that of the paper's backbone without its biases, and transformers
    loads it with whatever tokenizer is saved beside it.
    """
    transformers = lm_library("transformers")
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape.width,
            # Three matrices of this size have as many weights as two of four times the width.
            intermediate_size=-(-shape.width * 8 // 3 // 32) * 32,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            max_position_embeddings=config.max_tokens + 2 + LEVELS,
            # The customary 0.02 is right for this width; narrow models start far too flat with it.
            initializer_range=0.02 * (1024 / shape.width) ** 0.5,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=None,
        )
    )


@torch.no_grad()
def _extend(causal: Any, *, start: int, n_tokens: int) -> None:
    """Make room for new tokens and draw their embeddings as if they were among the old ones."""
    if causal.get_output_embeddings() is None:
        raise ConfigError(
            f"{causal.config.model_type!r} has no output embedding to score SIDs with. Name a "
            "causal language model in `pretrained`."
        )
    if n_tokens > causal.get_input_embeddings().weight.shape[0]:
        causal.resize_token_embeddings(n_tokens, mean_resizing=False)
    tables = {
        id(m.weight): m.weight
        for m in (causal.get_input_embeddings(), causal.get_output_embeddings())
    }
    for table in tables.values():
        old = table[:start]
        noise = torch.randn(n_tokens - start, table.shape[1], dtype=table.dtype)
        table[start:n_tokens] = old.mean(0) + old.std(0) * noise
