"""EG-GRPO against stage 3 and its controls, on synthetic shops whose logs name their policy."""
