"""A tiny sentence-transformers model with random weights, for tests."""

import string

import torch
from embed_shop import QUERIES, TITLES


def save_model(folder, *, texts=(*TITLES, *QUERIES), prompts=None, dense=False):
    """Write a BERT of two layers with mean pooling; returns the folder."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel, BertTokenizerFast

    from genrecall.foundation.libraries import no_progress_bars

    bert = folder.with_name(f"{folder.name}-bert")
    bert.mkdir(parents=True)
    words = sorted({word for text in texts for word in text.lower().split()})
    letters = [*string.ascii_lowercase, *string.digits, ":"]
    pieces = [*letters, *(f"##{letter}" for letter in letters)]
    vocabulary = dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces, *words])
    (bert / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
    tokenizer = BertTokenizerFast(str(bert / "vocab.txt"), model_max_length=32)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=0.3,
    )
    with torch.random.fork_rng(), no_progress_bars():
        torch.manual_seed(5)
        BertModel(config).save_pretrained(bert)
        tokenizer.save_pretrained(bert)
        modules = [Transformer(str(bert)), Pooling(16, pooling_mode="mean")]
        if dense:
            modules.append(Dense(16, 8))
        model = SentenceTransformer(modules=modules, prompts=prompts, device="cpu")
        model.save(str(folder), create_model_card=False)
    return folder
