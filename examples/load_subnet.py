#!/usr/bin/env python3
"""Reads a network that `mosaic extract` wrote into plain PyTorch.

    python3 examples/load_subnet.py DIR [--input x.safetensors]

Needs torch and safetensors. The class below is all there is to it: copy it into your project. With --input it runs
the network on the tensors of the file that have the names of its inputs, and compares the result with tensor "y", where
there is one. config.json has names, types and shapes of the inputs under "data", and under "preprocessing" how Mosaic
made them: make yours in the same way. (Pictures: pixels in [0, 1], then (pixel - mean) / deviation.)
"""
import argparse
import json
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file


class MosaicSubnet(torch.nn.Module):
    """The graph of config.json, node by node, over the weights of model.safetensors."""

    def __init__(self, folder):
        super().__init__()
        with open(f"{folder}/config.json") as file:
            self.config = json.load(file)
        self.graph = self.config["graph"]
        for name, tensor in load_file(f"{folder}/model.safetensors").items():
            is_statistic = name.endswith((".running_mean", ".running_var"))
            key = name.replace(".", "/")  # PyTorch allows no dots in names
            if is_statistic:
                self.register_buffer(key, tensor)
            else:
                self.register_parameter(key, torch.nn.Parameter(tensor))

    def tensor(self, name):
        return getattr(self, name.replace(".", "/"))

    def inputs(self):
        """Names, in the order in which forward() takes them."""
        entry = next(e for e in self.graph["entries"] if e["name"] == "forward")
        return [self.graph["nodes"][index]["name"] for index in entry["inputs"]]

    def forward(self, *inputs):
        entry = next(e for e in self.graph["entries"] if e["name"] == "forward")
        values = dict(zip(entry["inputs"], inputs, strict=True))
        for index, node in enumerate(self.graph["nodes"]):
            if index not in values:
                values[index] = self.run(node, [values[i] for i in node["inputs"]], inputs)
        return values[entry["outputs"][0]]

    def size(self, dim, inputs):
        """An extent of a shape: a number, or one times the lengths that the inputs have."""
        if isinstance(dim, int):
            return dim
        size = dim["factor"]
        for symbol in dim["symbols"]:
            size *= next(x.shape[1 + axis] for x, port in zip(inputs, self.config["data"]["inputs"])
                         for axis, extent in enumerate(port["shape"]) if extent == {"factor": 1, "symbols": [symbol]})
        return size

    def run(self, node, inputs, fed):
        op, a = node["op"], node.get("attributes", {})
        w = {use["role"]: self.tensor(use["slot"]) for use in node.get("weights", [])}
        if op == "conv2d":
            return F.conv2d(inputs[0], w["weight"], w.get("bias"), a["stride"], a["kernel"] // 2)
        if op == "linear":
            return F.linear(inputs[0], w["weight"], w.get("bias"))
        if op == "batch_norm":
            mean = self.tensor(node["name"] + ".running_mean")
            variance = self.tensor(node["name"] + ".running_var")
            return F.batch_norm(inputs[0], mean, variance, w["weight"], w["bias"], self.training,
                                eps=node["reals"]["epsilon"])
        if op == "relu":
            return F.relu(inputs[0])
        if op == "add":
            return sum(inputs[1:], inputs[0])
        if op == "identity":
            return inputs[0]
        if op == "zeros":
            return torch.zeros(len(fed[0]), *(self.size(dim, fed) for dim in node["shape"]), device=fed[0].device)
        if op == "avg_pool":
            return F.avg_pool2d(inputs[0], a["kernel"], a["stride"], a["padding"], count_include_pad=False)
        if op == "max_pool":
            return F.max_pool2d(inputs[0], a["kernel"], a["stride"], a["padding"])
        if op == "global_avg_pool":
            return inputs[0].mean((2, 3))
        raise NotImplementedError(f"op {op!r}: add it here, its meaning is in supernet/engine/ops/")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--input")
    arguments = parser.parse_args()
    network = MosaicSubnet(arguments.folder).eval()
    count = sum(p.numel() for p in network.parameters())
    print(f"{network.config['arch']}\n{count} parameters")
    if arguments.input:
        tensors = load_file(arguments.input)
        with torch.no_grad():
            y = network(*(tensors[name] for name in network.inputs()))
        print("outputs", y[0].tolist())
        if "y" in tensors:
            difference = (y - tensors["y"]).abs().max() / tensors["y"].abs().max()
            print(f"largest relative difference {difference:.2e}")
            sys.exit(int(difference > 1e-5))


if __name__ == "__main__":
    main()
