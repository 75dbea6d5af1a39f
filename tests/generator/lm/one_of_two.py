"""One of two processes that train a model together, as `accelerate launch` would start them."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from test_lm_training import train
from tiny_lm import CONFIG, make_lm

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, rank = Path(sys.argv[1]), sys.argv[2]
    lm = train(make_lm(), CONFIG, folder=folder / "checkpoints", steps=3, batch=7)
    save_file({k: v.clone() for k, v in lm.state_dict().items()}, folder / f"{rank}.safetensors")
