"""EG-GRPO: aligns a trained generator with what the ranker shows and shoppers choose."""
