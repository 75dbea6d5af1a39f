"""The weights of a language model as few matrices, for reading and for one code after another.

What is known is the block of Llama, Mistral and Qwen 2: RMS norms, rotary positions, attention
whose heads may share keys, and a gated network of SiLU. Everything that is constant is put into
the matrices once: the norms' weights, the scale of the products of queries and keys, and an order
of the numbers of a head in which a rotation is a product of complex numbers.

Shapes: `W` width, `H` heads, `G` heads of keys and values, `d` numbers of a head, `I` width of the
gated network, `K_l` codes of level `l`, `P` positions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from genrecall.foundation.sid import LEVELS
from genrecall.generator.lm.model import LmModel

KINDS: Final = frozenset({"llama", "mistral", "qwen2"})
"""As transformers names them."""

_TURNS: Final = frozenset({"default", "linear", "llama3"})
"""Rotary positions that do not depend on how long a text is, likewise."""

_USUAL_ROWS: Final = 50
"""For which a matrix is laid out; with others it is hardly slower."""

Linear = Callable[[Tensor], Tensor]
"""`[n, in]` to `[n, out]`."""

LayOut = Callable[[Tensor, Tensor | None], Linear]
"""A matrix `[out, in]` and its bias `[out]`, if it has one, made ready for products."""


class Heads(NamedTuple):
    """How the attention of all layers is divided.

    Attributes:
        queries: heads `H`.
        keys: heads of keys and values `G`, each for `H / G` of queries.
        size: numbers `d` of a head.
    """

    queries: int
    keys: int
    size: int


class Layer(NamedTuple):
    """One block; what `attend` and `gate` read has length 1.

    Attributes:
        attend: to queries, keys and values, `[W]` to `[(H + 2 G) d]`.
        join: from all heads, `[H d]` to `[W]`.
        gate: to what is passed on and by how much, `[W]` to `[2 I]`.
        leave: `[I]` to `[W]`.
    """

    attend: Linear
    join: Linear
    gate: Linear
    leave: Linear


@dataclass(frozen=True, eq=False)
class LmWeights:
    """A language model, ready to read where its weights are.

    Attributes:
        heads: of every layer.
        layers: in order.
        least: added in square to a length that all norms divide by.
        turns: of positions, complex `[P, 1, d / 2]`.
        embedding: of tokens, `[V, W]`.
        codes: of each level, what hidden states of length 1 are scored by, `[K_l, W]`.
        first: token id of code 0 of each level.
    """

    heads: Heads
    layers: tuple[Layer, ...]
    least: float
    turns: Tensor
    embedding: Tensor
    codes: tuple[Tensor, ...]
    first: tuple[int, ...]

    @classmethod
    @torch.no_grad()
    def of(cls, lm: LmModel, *, lay_out: LayOut) -> LmWeights:
        """Those of a model that `is_known`; the matrices that change are copied.

        Args:
            lm: the model.
            lay_out: `in_fp32`, or that of `decode/lm/eight_bits.py`.
        """
        body: Any = lm.body
        config = lm.causal.config
        heads = _heads(config)
        width = config.hidden_size
        norm = body.norm.weight.detach() * width**0.5
        start = [lm.space.token(level=level, code=0) for level in range(LEVELS)]
        rows = lm.head.detach()[lm.start + 1 :]
        return cls(
            heads=heads,
            layers=tuple(_layer(layer, heads, lay_out) for layer in body.layers),
            least=float(width * config.rms_norm_eps) ** 0.5,
            turns=_turns(lm),
            embedding=lm.embedding.detach(),
            codes=tuple(
                rows[first : first + size] * norm
                for first, size in zip(start, lm.space.sizes, strict=True)
            ),
            first=tuple(lm.start + 1 + first for first in start),
        )


def is_known(lm: LmModel) -> bool:
    """Whether a model can be computed by `LmWeights`: in fp32, of a block known here."""
    body: Any = lm.body
    config = lm.causal.config
    if config.model_type not in KINDS or lm.sid_rows is not None:
        return False
    kinds = getattr(config, "layer_types", None)
    window = getattr(config, "sliding_window", None)  # of all layers, where they have no types
    sees_all = window is None if kinds is None else set(kinds) == {"full_attention"}
    whole = sees_all or (window or 0) >= _positions(lm)
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type")
    weights = list(lm.causal.parameters())
    return (
        config.hidden_act == "silu"
        and rope in _TURNS
        and 2 * body.rotary_emb.inv_freq.numel() == _heads(config).size
        and whole
        and lm.dtype == torch.float32
        and all(of.dtype == torch.float32 for of in weights)
    )


def _positions(lm: LmModel) -> int:
    """Of the longest prompt, with the token that begins it, the one that ends it, and a SID."""
    return lm.max_tokens + 2 + LEVELS


def _heads(config: Any) -> Heads:
    queries = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // queries
    return Heads(queries, config.num_key_value_heads, size)


def _turns(lm: LmModel) -> Tensor:
    positions = torch.arange(_positions(lm), device=lm.device)[None]
    body = cast("Any", lm.body)
    cosine, sine = body.rotary_emb(torch.zeros(1, device=lm.device), positions)  # (1, P, d)
    half = cosine.shape[-1] // 2
    return torch.complex(cosine[0, :, :half], sine[0, :, :half])[:, None].contiguous()


def _layer(layer: Any, heads: Heads, lay_out: LayOut) -> Layer:
    attention, network = layer.self_attn, layer.mlp
    before, after = (
        norm.weight * len(norm.weight) ** 0.5
        for norm in (layer.input_layernorm, layer.post_attention_layernorm)
    )
    # The model turns number i of a head with number i + d/2: they are put side by side.
    turned = torch.arange(heads.size).view(2, -1).T.reshape(-1)
    parts = [
        _of_heads(attention.q_proj, before, turned, scale=heads.size**-0.5),
        _of_heads(attention.k_proj, before, turned, scale=1.0),
        _scaled(attention.v_proj, before),
    ]
    gate = [_scaled(of, after) for of in (network.gate_proj, network.up_proj)]
    return Layer(
        attend=lay_out(*_joined(parts)),
        join=lay_out(attention.o_proj.weight, attention.o_proj.bias),
        gate=lay_out(*_joined(gate)),
        leave=lay_out(network.down_proj.weight, network.down_proj.bias),
    )


def _scaled(linear: Any, norm: Tensor) -> tuple[Tensor, Tensor | None]:
    return linear.weight * norm, linear.bias


def _of_heads(
    linear: Any, norm: Tensor, turned: Tensor, *, scale: float
) -> tuple[Tensor, Tensor | None]:
    weight, bias = _scaled(linear, norm)
    size = len(turned)
    weight = weight.view(-1, size, weight.shape[-1])[:, turned].flatten(0, 1) * scale
    return weight, None if bias is None else bias.view(-1, size)[:, turned].flatten() * scale


def _joined(parts: list[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor | None]:
    """Several matrices on the same input as one."""
    weight = torch.cat([weight for weight, _ in parts])
    if all(bias is None for _, bias in parts):
        return weight, None
    return weight, torch.cat(
        [of.new_zeros(len(of)) if bias is None else bias for of, bias in parts]
    )


def in_fp32(weight: Tensor, bias: Tensor | None) -> Linear:
    """A product with a matrix, which is laid out for it where torch was built with oneDNN."""
    weight, bias = weight.detach(), None if bias is None else bias.detach()
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return partial(F.linear, weight=weight, bias=bias)
    laid_out = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _USUAL_ROWS)

    def product(rows: Tensor) -> Tensor:
        made: Tensor = torch.ops.mkldnn._linear_pointwise(rows, laid_out, bias, "none", [], "")
        return made

    return product
