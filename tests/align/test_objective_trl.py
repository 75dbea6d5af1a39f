"""Without experts the objective is the one of TRL's `GRPOTrainer`: the same losses and gradients.

TRL's own code makes advantages, old and reference log-probabilities and the loss, from completions
and rewards that are given; ours makes them of the same model's logits. A SID of one token is one
action for both. Of three tokens TRL takes the mean of the log-probabilities, we take the sum; with
the mean in its place both are equal again.
"""

import pytest
import torch

from genrecall.align.objective import Members, advantages, kl_k3, mean_over_groups, surrogate

# Of transformers, which TRL still calls by the old names.
pytestmark = pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning")

G = 4
CLIP = (0.2, 0.28)
REWARDS = [[0.1, 1.0, 0.1, 0.5], [0.1, 0.1, 0.1, 0.1], [1.0, 1.0, 0.5, 0.1]]
PROMPTS = ["blue lamp", "drill", "small garden hose"]


def make_trainer(pretrained, folder, **settings):
    """TRL's trainer with other weights than its reference, and completions that are given."""
    from datasets import Dataset
    from transformers import AutoTokenizer, Qwen2ForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    from genrecall.foundation.libraries import no_progress_bars

    class Given(GRPOTrainer):
        completions: list[list[int]]
        rewards: list[float]

        def _generate_single_turn(self, *_args, **_options):
            return self.completions, None

    def reward(completions, **_):
        assert len(completions) == len(trainer.rewards)
        return trainer.rewards

    config = GRPOConfig(
        output_dir=str(folder),
        use_cpu=True,
        bf16=False,
        report_to="none",
        activation_checkpointing=False,
        num_generations=G,
        per_device_train_batch_size=G * len(PROMPTS),
        epsilon=CLIP[0],
        epsilon_high=CLIP[1],
        **settings,
    )
    with no_progress_bars():
        trainer = Given(
            model=Qwen2ForCausalLM.from_pretrained(pretrained),
            reward_funcs=reward,
            args=config,
            processing_class=AutoTokenizer.from_pretrained(pretrained),
            train_dataset=Dataset.from_list([{"prompt": text} for text in PROMPTS]),
        )
    torch.manual_seed(4)
    with torch.no_grad():
        for weight in trainer.model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1  # as in a training step
    trainer.completions = torch.randint(
        9, 300, (G * len(PROMPTS), config.max_completion_length)
    ).tolist()
    trainer.rewards = [reward for group in REWARDS for reward in group]
    return trainer


def token_logprobs(model, batch):
    """Of the tokens of each completion, from the logits: `[Q * G, C]`."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    length = batch["completion_ids"].shape[1]
    logits = model(input_ids=ids, attention_mask=mask).logits[:, -length - 1 : -1]
    every = logits.log_softmax(dim=-1)
    return every.gather(2, batch["completion_ids"][:, :, None])[:, :, 0]


def as_groups(values):
    return values.view(len(PROMPTS), G)


def gradients(loss, model):
    names, weights = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, weights, allow_unused=True)
    return {name: grad for name, grad in zip(names, found, strict=True) if grad is not None}


LOSSES = [
    {"loss_type": "grpo", "importance_sampling_level": "token"},
    {"loss_type": "grpo", "importance_sampling_level": "sequence"},
    {"loss_type": "dapo", "importance_sampling_level": "sequence"},
    {"loss_type": "dr_grpo", "importance_sampling_level": "sequence", "scale_rewards": "none"},
]


def name_of(settings):
    return "-".join(map(str, settings.values()))


@pytest.mark.parametrize("beta", [0.0, 0.3])
@pytest.mark.parametrize("inner_step", [1, 2])
@pytest.mark.parametrize("settings", LOSSES, ids=name_of)
def test_a_sid_of_one_token_has_the_loss_of_trl(pretrained, tmp_path, settings, inner_step, beta):
    settings = {**settings, "beta": beta, "max_completion_length": 1}
    compare(make_trainer(pretrained, tmp_path, **settings), inner_step, beta=beta)


@pytest.mark.parametrize("inner_step", [1, 2])
@pytest.mark.parametrize("settings", LOSSES[1:], ids=name_of)
def test_three_tokens_differ_from_trl_by_a_constant_only(
    pretrained, tmp_path, settings, inner_step
):
    settings = {**settings, "beta": 0.0, "max_completion_length": 3}
    compare(make_trainer(pretrained, tmp_path, **settings), inner_step, beta=0.0)


def compare(trainer, inner_step, *, beta):
    """Losses, gradients, advantages and shares of what is clipped."""
    inputs = [{"prompt": text} for text in PROMPTS for _ in range(G)]
    batch = trainer._generate_and_score_completions(inputs)
    rewards = torch.tensor(REWARDS)
    there = torch.ones_like(rewards, dtype=torch.bool)
    members = Members(there, ~there)
    advantage = advantages(rewards, members, scale=trainer.scale_rewards == "group")
    torch.testing.assert_close(advantage, as_groups(batch["advantages"]), atol=1e-4, rtol=1e-4)

    tokens = token_logprobs(trainer.model, batch)
    if inner_step == 2:  # the weights have moved since
        torch.manual_seed(1)
        batch["old_per_token_logps"] = tokens.detach() + 0.4 * torch.randn(tokens.shape)
    old = batch.get("old_per_token_logps", tokens.detach())
    logprob, old = as_groups(tokens.mean(dim=1)), as_groups(old.mean(dim=1))
    value, clipped = surrogate(logprob, old, advantage, members.expert, clip=CLIP)
    loss = -mean_over_groups(value, there)
    if beta:
        reference = as_groups(batch["ref_per_token_logps"].mean(dim=1))
        loss = loss + beta * mean_over_groups(kl_k3(logprob, reference, old), there)

    expected = trainer._compute_loss(trainer.model, batch)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        gradients(loss, trainer.model), gradients(expected, trainer.model), atol=1e-5, rtol=1e-3
    )
    told = trainer._metrics["train"]["clip_ratio/region_mean"][-1]
    assert clipped.float().mean().item() == pytest.approx(told)
    assert (told > 0) == (inner_step == 2)
