#!/usr/bin/env python3
"""Trains an extracted language model in eager PyTorch, as `mosaic finetune` does, and prints tokens a second.

    python3 bench/train_text.py MODEL [--batch 16] [--length 64] [--steps 60] [--threads 2]

The network is mosaic_nas.load(MODEL): the same graph and weights. Tokens are random; cross-entropy at every position,
AdamW, gradients clipped. bench/train_text.sh runs both by turns.
"""
import argparse
import time

import mosaic_nas
import torch
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--length", type=int, default=64)
parser.add_argument("--steps", type=int, default=60)
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()

torch.manual_seed(1)
torch.set_num_threads(options.threads)
network = mosaic_nas.load(options.model).train()
vocabulary = network.config["data"]["inputs"][0]["range"]
optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=5e-4, fused=True)
tokens = torch.randint(5, vocabulary, (options.steps, options.batch, options.length))
targets = torch.randint(5, vocabulary, (options.steps, options.batch, options.length))
warm = max(1, options.steps // 10)
for step in range(-warm, options.steps):
    if step == 0:
        begin = time.perf_counter()
    logits = network(tokens[step])
    loss = F.cross_entropy(logits.flatten(0, 1), targets[step].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    optimizer.zero_grad()
seconds = time.perf_counter() - begin
print(f"{options.steps * options.batch * options.length / seconds:.0f}")
