"""The network of a config.json, node by node, in plain PyTorch."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor


class Subnet(torch.nn.Module):
    """The graph of `config` (what config.json holds) over the weights of model.safetensors. It is all there is to a
    network: copy it into your project to be without Mosaic."""

    config: dict[str, Any]

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__()
        self.config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        self.graph = self.config["graph"]
        for name, tensor in load_file(Path(folder) / "model.safetensors").items():
            is_statistic = name.endswith((".running_mean", ".running_var"))
            key = name.replace(".", "/")  # PyTorch allows no dots in names
            if is_statistic:
                self.register_buffer(key, tensor)
            else:
                self.register_parameter(key, torch.nn.Parameter(tensor))

    def tensor(self, name: str) -> Tensor:
        return getattr(self, name.replace(".", "/"))

    def inputs(self) -> list[str]:
        """Names, in the order in which forward() takes them."""
        entry = next(e for e in self.graph["entries"] if e["name"] == "forward")
        return [self.graph["nodes"][index]["name"] for index in entry["inputs"]]

    def forward(self, *inputs: Tensor) -> Tensor:
        entry = next(e for e in self.graph["entries"] if e["name"] == "forward")
        values = dict(zip(entry["inputs"], inputs, strict=True))
        for index, node in enumerate(self.graph["nodes"]):
            if index not in values:
                values[index] = self.run(node, [values[i] for i in node["inputs"]], inputs)
        return values[entry["outputs"][0]]

    def size(self, dim: int | dict[str, Any], inputs: tuple[Tensor, ...]) -> int:
        """An extent of a shape: a number, or one times the lengths that the inputs have."""
        if isinstance(dim, int):
            return dim
        size = dim["factor"]
        for symbol in dim["symbols"]:
            size *= next(x.shape[1 + axis] for x, port in zip(inputs, self.config["data"]["inputs"])
                         for axis, extent in enumerate(port["shape"]) if extent == {"factor": 1, "symbols": [symbol]})
        return size

    def run(self, node: dict[str, Any], inputs: list[Tensor], fed: tuple[Tensor, ...]) -> Tensor:
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
        raise NotImplementedError(f"op {op!r}: add it to mosaic_nas/subnet.py, its meaning is in supernet/engine/ops/")
