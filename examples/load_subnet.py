#!/usr/bin/env python3
"""Runs a network that `mosaic extract` wrote in plain PyTorch, and compares its outputs with Mosaic's.

    mosaic eval model --split validation --outputs xy.safetensors
    python3 examples/load_subnet.py model xy.safetensors
"""
import sys

import mosaic_nas
import torch
from safetensors.torch import load_file

network = mosaic_nas.load(sys.argv[1])
tensors = load_file(sys.argv[2])
with torch.no_grad():
    y = network(*(tensors[name] for name in network.inputs()))
difference = (y - tensors["y"]).abs().max() / tensors["y"].abs().max()
print(f"{network.config['arch']}\nlargest relative difference {difference:.2e}")
sys.exit(int(difference > 1e-5))
