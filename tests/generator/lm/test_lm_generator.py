"""Decoding with a language model, against exhaustive scoring and against transformers itself."""

import numpy as np
import pytest
import torch
from decoding import search
from tiny_lm import CONFIG, SPACE, TRIE, as_generator, make_prompts, save, write

from genrecall.decode.reference import ReferenceEngine
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.libraries import no_progress_bars
from genrecall.foundation.sid import LEVELS, Sid, SidSpace
from genrecall.generator.lm.model import LmModel
from genrecall.generator.lm.tokens import START
from genrecall.generator.prompts import ITEM, Prompt


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    return save(trained, tmp_path_factory.mktemp("saved") / "generator")


def test_a_state_can_be_continued_twice(trained):
    generator = as_generator(trained)
    state = generator.read(make_prompts(2)).state
    rows, nodes = torch.tensor([0, 1, 0]), torch.tensor([1, 2, 3])
    first = generator.advance(state, rows, nodes)[1]
    generator.advance(state, rows[:1], nodes[:1])
    torch.testing.assert_close(generator.advance(state, rows, nodes)[1], first, rtol=0, atol=0)


def test_no_prefix_is_continued_to_no_score(trained):
    generator, none = as_generator(trained), torch.zeros(0, dtype=torch.long)
    state, step = generator.advance(generator.read(make_prompts(2)).state, none, none)
    assert step.shape == (0,)
    assert generator.advance(state, none, none)[1].shape == (0,)


def test_history_profile_and_kind_of_prompt_are_read(trained):
    plain, query = as_generator(trained), Prompt("blue lamp")
    known = [
        Prompt("blue lamp", history=(3, 9)),
        Prompt("blue lamp", history=(9, 3)),
        Prompt("blue lamp", profile=(("gender", "male"),)),
    ]
    titles = as_generator(trained, kind=ITEM)
    scores = torch.cat([plain.read([query, *known]).step, titles.read([query]).step])
    differ = (scores[:, None] - scores[None, :]).abs().amax(dim=2) > 1e-5
    assert (differ | torch.eye(len(scores), dtype=torch.bool)).all()


def test_the_head_over_the_whole_vocabulary_is_never_called(trained):
    calls = []
    hook = trained.causal.get_output_embeddings().register_forward_hook(
        lambda *call: calls.append(call)
    )
    try:
        search(as_generator(trained), make_prompts(2), beam=4)
    finally:
        hook.remove()
    assert not calls


def test_another_sid_space_is_refused(saved):
    with pytest.raises(ArtifactError, match=r"trained for another SID space.*\(5, 4, 7\)"):
        LmModel.load(saved, space=SidSpace((5, 4, 7)))


def test_beams_equal_those_of_transformers(trained, saved):
    """Its own beam search, on the saved model, with a prefix function and the same scoring rule."""
    import transformers
    from transformers import LogitsProcessor, PrefixConstrainedLogitsProcessor

    with no_progress_bars():
        causal = transformers.AutoModelForCausalLM.from_pretrained(saved.path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(saved.path)
    names = [[f"<c{n}_{k}>" for k in range(size)] for n, size in enumerate(SPACE.sizes, start=1)]
    levels = [torch.tensor(tokenizer.convert_tokens_to_ids(level)) for level in names]
    allowed = {}
    for codes in TRIE.sids:
        sid = tokenizer.encode(str(Sid(*codes)), add_special_tokens=False)
        for level in range(LEVELS):
            allowed.setdefault(tuple(sid[:level]), set()).add(sid[level])

    class SoftmaxOfLevel(LogitsProcessor):
        """Log-softmax over the codes of the level that is next."""

        def __init__(self, prompt_tokens):
            self.prompt_tokens = prompt_tokens

        def __call__(self, input_ids, scores):
            codes = levels[input_ids.shape[1] - self.prompt_tokens]
            masked = torch.full_like(scores, -torch.inf)
            masked[:, codes] = torch.log_softmax(scores[:, codes], dim=-1)
            return masked

    beam, prompts = 6, make_prompts(10)
    ours = search(as_generator(trained), prompts, beam=beam)
    for row, text in enumerate(write(prompts)):
        ids = tokenizer.encode(f"{text}{START}", add_special_tokens=False)
        ids = torch.tensor([ids[-CONFIG.max_tokens - 1 :]])

        def prefix(_, tokens, start=ids.shape[1]):
            return sorted(allowed[tuple(tokens[start:].tolist())])

        generated = causal.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            # In this order, so that the trie masks and does not renormalize.
            logits_processor=[
                SoftmaxOfLevel(ids.shape[1]),
                PrefixConstrainedLogitsProcessor(prefix, num_beams=beam),
            ],
            num_beams=beam,
            num_return_sequences=beam,
            min_new_tokens=LEVELS,
            max_new_tokens=LEVELS,
            do_sample=False,
            length_penalty=0.0,
            return_dict_in_generate=True,
            output_scores=True,
        )
        theirs = tokenizer.batch_decode(generated.sequences[:, ids.shape[1] :])
        theirs = [text.replace(" ", "") for text in theirs]
        assert theirs == [str(Sid(*codes)) for codes in TRIE.sids[ours.leaves[row]]]
        np.testing.assert_allclose(generated.sequences_scores, ours.logprob[row], atol=2e-5)


def test_a_query_costs_one_reading_and_two_steps_a_search(trained):
    """And a search of some prompts leaves the others out of its steps."""
    generator, rows = as_generator(trained), []
    hidden = trained.hidden

    def counted(ids, *given, **named):
        rows.append(len(ids))
        return hidden(ids, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trained, "hidden", counted)
        reading = generator.read(make_prompts(6))
        engine = ReferenceEngine(generator)
        engine.search(reading, beam=3)
        engine.search(reading, beam=9)
        engine.search(reading, beam=3, rows=np.array([4, 1]))
    assert rows == [6, 6, 6, 6, 6, 2, 2]
