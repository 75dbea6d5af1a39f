"""The `compact` family: a subword encoder with an autoregressive head over the three codes.

A query's subwords give a hidden state `h`; each level adds the code before it and scores the next:

    logits_l = W_l · h_l + α_l(h) · feature_l(prefix + code)

where the features are the look-ahead of `features.py` and `α_l(h)` a learned trust in them. Codes
that continue no SID have the logit `EMPTY`.

Shapes: `Q` prompts, `R` prefixes, `W` width, `K_l` codes and `n_l` trie nodes of level `l`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import load_file, save_model
from torch import Tensor, nn
from torch.nn import functional as F

from genrecall.artifact import Artifact, write_json
from genrecall.embed.encoder import TextEncoder
from genrecall.errors import ArtifactError
from genrecall.generator.base import Prompt
from genrecall.generator.features import EMPTY, LookAhead
from genrecall.sid import SidSpace
from genrecall.trie import Trie

_SETTINGS: Final = "compact.json"
_WEIGHTS: Final = "compact.safetensors"


class CompactModel(nn.Module):
    """The weights of the compact family.

    Args:
        space: codebook sizes.
        n_features: rows of the subword embedding table.
        width: size `W` of the hidden state.
    """

    def __init__(self, *, space: SidSpace, n_features: int, width: int) -> None:
        super().__init__()
        self.space = space
        self.embedding = nn.EmbeddingBag(n_features, width, mode="mean", sparse=True)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.norm = nn.LayerNorm(width)
        self.encoder = _block(width, width)
        self.code = nn.ModuleList([nn.Embedding(size, width) for size in space.sizes[:-1]])
        self.step = nn.ModuleList([_block(2 * width, width) for _ in space.sizes[:-1]])
        self.head = nn.ModuleList([_silent(width, size) for size in space.sizes])
        self.trust = nn.ModuleList([_silent(width, 1) for _ in space.sizes])

    @classmethod
    def load(cls, artifact: Artifact, *, space: SidSpace) -> CompactModel:
        """Read what `save` wrote.

        Raises:
            ArtifactError: the weights are of another SID space.
        """
        settings = artifact.read_json(_SETTINGS)
        if settings["space"] != space.digest:
            raise ArtifactError(
                f"{artifact.path} was trained for another SID space than the catalog's "
                f"{space.sizes}. Run the generator stage again."
            )
        with torch.device("meta"):  # the weights are read: no random ones are drawn before
            model = cls(space=space, n_features=settings["n_features"], width=settings["width"])
        model.load_state_dict(load_file(artifact.file(_WEIGHTS)), assign=True)
        return model

    def save(self, folder: Path) -> None:
        """Write sizes and weights into a new folder."""
        folder.mkdir()
        settings = {
            "space": self.space.digest,
            "n_features": self.embedding.num_embeddings,
            "width": self.embedding.embedding_dim,
        }
        write_json(folder / _SETTINGS, settings)
        save_model(self, str(folder / _WEIGHTS))

    def encode(self, ids: Tensor, offsets: Tensor) -> Tensor:
        """Features `[total]` with offsets `[Q]` to hidden states `[Q, W]`."""
        bag = self.norm(self.embedding(ids, offsets))
        hidden: Tensor = bag + self.encoder(bag)
        return hidden

    def extend(self, level: int, hidden: Tensor, codes: Tensor) -> Tensor:
        """Append the codes of `level` to prefixes: `[R, W]`, `[R]` to `[R, W]`."""
        code: Tensor = self.code[level](codes)
        step: Tensor = self.step[level](torch.cat([hidden, hidden * code], dim=-1))
        return hidden + code + step

    def logprobs(self, level: int, hidden: Tensor, features: Tensor) -> Tensor:
        """Log-softmax over the codes of a level: `[R, W]`, `[R, K_l]` to `[R, K_l]`."""
        trust = torch.exp(self.trust[level](hidden))  # (R, 1)
        logits = self.head[level](hidden) + trust * features
        logits = torch.where(features > EMPTY, logits, EMPTY)
        return F.log_softmax(logits, dim=-1)


def _block(size: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(size), nn.Linear(size, width), nn.GELU(), nn.Linear(width, width)
    )


def _silent(width: int, size: int) -> nn.Linear:
    """A head that starts at zero, so that an untrained model repeats what the vectors say."""
    linear = nn.Linear(width, size)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


@dataclass(frozen=True, eq=False)
class CompactState:
    """What a compact generator carries along `R` prefixes.

    Attributes:
        level: level of the next code.
        hidden: hidden states, float32 `[R, W]`.
        prompt: prompt of each prefix, int64 `[R]`.
        node: trie node of each prefix in the level above, int64 `[R]`; 0 is the root.
        features: look-ahead of all prompts, `[Q, n_l]` for each level.
    """

    level: int
    hidden: Tensor
    prompt: Tensor
    node: Tensor
    features: tuple[Tensor, ...]


class CompactGenerator:
    """The compact family behind the `Generator` protocol.

    Args:
        model: the weights.
        encoder: the two-tower encoder, for subwords and query vectors.
        look_ahead: features of the SID tree.
    """

    def __init__(self, model: CompactModel, encoder: TextEncoder, look_ahead: LookAhead) -> None:
        self.model = model.eval()
        self.encoder = encoder
        self.look_ahead = look_ahead

    @property
    def space(self) -> SidSpace:
        """The SID space it was trained for."""
        return self.look_ahead.trie.space

    def prefill(self, prompts: Sequence[Prompt]) -> tuple[CompactState, Tensor]:
        """Read the prompts; see `Generator.prefill`."""
        bags = self.encoder.tokenizer.bags([prompt.text for prompt in prompts])
        with torch.inference_mode():
            queries = torch.from_numpy(self.encoder.encode_bags(bags))
            hidden = self.model.encode(
                torch.from_numpy(bags.ids), torch.from_numpy(bags.offsets[:-1])
            )
            state = CompactState(
                level=0,
                hidden=hidden,
                prompt=torch.arange(len(prompts)),
                node=torch.zeros(len(prompts), dtype=torch.long),
                features=self.look_ahead(queries),
            )
            return state, self._logprobs(state)

    def advance(
        self, state: CompactState, rows: Tensor, codes: Tensor
    ) -> tuple[CompactState, Tensor]:
        """Append one code to each chosen prefix; see `Generator.advance`."""
        trie, level = self.look_ahead.trie, state.level
        with torch.inference_mode():
            node = trie.child(level, state.node[rows].numpy(), codes.numpy())
            grown = CompactState(
                level=level + 1,
                hidden=self.model.extend(level, state.hidden[rows], codes),
                prompt=state.prompt[rows],
                node=torch.from_numpy(node),
                features=state.features,
            )
            return grown, self._logprobs(grown)

    def _logprobs(self, state: CompactState) -> Tensor:
        features = child_features(
            self.look_ahead.trie, state.level, state.features[state.level], state.prompt, state.node
        )
        return self.model.logprobs(state.level, state.hidden, features)


def child_features(
    trie: Trie, level: int, features: Tensor, prompt: Tensor, node: Tensor
) -> Tensor:
    """Features of the possible next codes of `R` prefixes; `EMPTY` where no SID follows.

    Args:
        trie: the SIDs in use.
        level: level of the next code.
        features: features of that level's nodes for every prompt, `[Q, n_l]`.
        prompt: prompt of each prefix, int64 `[R]`.
        node: trie node of each prefix, int64 `[R]`; 0 is the root, -1 a prefix of no SID.

    Returns:
        Float32 `[R, K_l]`.
    """
    dense = torch.full((len(node), trie.space.sizes[level]), EMPTY)
    known = np.flatnonzero(node.numpy() >= 0)
    children = trie.children(level, node.numpy()[known])
    row = torch.from_numpy(known[children.parent])
    value = features[prompt[row], torch.from_numpy(children.node)]
    dense[row, torch.from_numpy(children.code)] = value.clamp(min=EMPTY + 1.0)
    return dense
