#!/usr/bin/env python3
"""How many narrow networks to put into one group of a convolution on a GPU: forward and backward pass, bfloat16, channels last,
batch 128, cuDNN's fastest algorithm. Wants PyTorch; prints microseconds by networks a group, the least in brackets.

  grouped_convolutions.py [--networks 8 36] [--repeats 5]
"""

import argparse
import statistics

import torch

# Channels in, channels out, side; of 3x3 convolutions.
SHAPES = ((3, 8, 32), (3, 16, 32), (8, 8, 32), (8, 8, 16), (8, 16, 16), (16, 16, 32), (16, 16, 16), (16, 16, 8), (16, 32, 8),
          (32, 32, 16), (32, 32, 8))


def microseconds(networks, together, inputs, outputs, side, repeats, batch=128, times=20):
    x = torch.randn(batch, networks * inputs, side, side, device="cuda", dtype=torch.bfloat16)
    x = x.to(memory_format=torch.channels_last).requires_grad_(inputs > 3)
    w = torch.randn(networks * outputs, together * inputs, 3, 3, device="cuda", dtype=torch.bfloat16)
    w = w.to(memory_format=torch.channels_last).requires_grad_()
    wanted = [w] + ([x] if x.requires_grad else [])
    given = torch.randn(batch, networks * outputs, side, side, device="cuda", dtype=torch.bfloat16)
    given = given.to(memory_format=torch.channels_last)

    def step():
        y = torch.nn.functional.conv2d(x, w, padding=1, groups=networks // together)
        torch.autograd.grad([y], wanted, [given])

    for _ in range(3):
        step()
    stream = torch.cuda.Stream()
    graph = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph, stream=stream):
        step()
    taken = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(times):
            graph.replay()
        end.record()
        torch.cuda.synchronize()
        taken.append(1000 * begin.elapsed_time(end) / times)
    return statistics.median(taken)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, nargs="+", default=[8, 36])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("no GPU here: nothing is measured")
    torch.backends.cudnn.benchmark = True
    print(torch.cuda.get_device_name())
    for networks in options.networks:
        for inputs, outputs, side in SHAPES:
            taken = {}
            for together in (n for n in range(1, networks + 1) if networks % n == 0 and n * inputs <= 256):
                taken[together] = microseconds(networks, together, inputs, outputs, side, options.repeats)
            best = min(taken, key=taken.get)
            print(f"{networks:3} networks, {inputs:2} -> {outputs:2} channels, {side}x{side}: " + "  ".join(
                f"{n}: {'[' if n == best else ''}{t:.0f}{']' if n == best else ''}" for n, t in taken.items()), flush=True)


if __name__ == "__main__":
    main()
