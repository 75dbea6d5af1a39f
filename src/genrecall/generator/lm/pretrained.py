"""Opens a causal language model and its tokenizer from a directory or by its name on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from genrecall.foundation.errors import ConfigError
from genrecall.foundation.libraries import HUB_NAME, lm_library, no_progress_bars


def open_pretrained(name: str) -> tuple[Any, Any]:
    """Open a model and its tokenizer.

    Weights are read from safetensors only, and code that comes with a model is never run. A name
    that is no directory is looked up on the model hub, in the cache first: transformers downloads
    what the config names, and nothing else.

    Args:
        name: a directory, or a name such as `Qwen/Qwen2.5-0.5B`.

    Returns:
        A causal language model with weights in fp32, and a fast tokenizer.

    Raises:
        ConfigError: it cannot be found, loaded or used, or a library is missing.
    """
    transformers = lm_library("transformers")
    local = Path(name).is_dir()
    if not local and not HUB_NAME.fullmatch(name):
        raise ConfigError(
            f"pretrained: {name!r} is no directory. Give the folder of a saved model, with its "
            "config.json and tokenizer, or a name on the hub such as 'Qwen/Qwen2.5-0.5B'."
        )
    options = {"local_files_only": local, "trust_remote_code": False}
    try:
        with no_progress_bars():
            causal = transformers.AutoModelForCausalLM.from_pretrained(
                name,
                dtype=torch.float32,
                use_safetensors=True,
                attn_implementation="sdpa",
                **options,
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, **options)
    except (OSError, ValueError, ImportError) as error:
        where = "directory" if local else "name on the hub, and no directory"
        cause = " ".join(str(error).split())
        raise ConfigError(
            f"pretrained: {name!r}, a {where}, cannot be opened as a causal language model: "
            f"{cause} Give a folder with config.json, safetensors and a tokenizer, or a name that "
            "is in the cache of transformers or can be reached from here."
        ) from error
    _check(name, causal, tokenizer)
    return causal, tokenizer


def _check(name: str, causal: Any, tokenizer: Any) -> None:
    """Refuse what packed batches and shared prompts would be silently wrong with."""
    config = causal.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    usable = causal._supports_attention_backend and kinds <= {"full_attention", "sliding_attention"}
    if not usable:
        raise ConfigError(
            f"pretrained: {name!r} is of the kind {config.model_type!r}, whose layers do not all "
            "take an attention mask, which several prompts in a row need. Allowed are attention "
            "models such as Qwen2, Llama, Mistral, Phi-3 and OPT."
        )
    if not tokenizer.is_fast:
        raise ConfigError(
            f"pretrained: {name!r} has a tokenizer without a tokenizer.json, the fast form that is "
            "needed. Save it again with a fast tokenizer."
        )
