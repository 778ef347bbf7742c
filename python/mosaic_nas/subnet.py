"""The network of a config.json, node by node, in plain PyTorch."""
from __future__ import annotations

import json
import math
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

    def weight(self, use: dict[str, Any]) -> Tensor:
        """What a node reads of a tensor that others may read more of."""
        weight = self.tensor(use["slot"])
        for axis, (full, active, crop) in enumerate(zip(use["full"], use["active"], use["crops"])):
            if active < full:
                weight = weight.narrow(axis, (full - active) // 2 if crop == "centred" else 0, active)
        return weight

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
        op, a, x = node["op"], node.get("attributes", {}), inputs[0] if inputs else None
        w = {use["role"]: self.weight(use) for use in node.get("weights", [])}
        r = node.get("reals", {})
        if op == "conv2d":
            return F.conv2d(x, w["weight"], w.get("bias"), a["stride"], a["kernel"] // 2,
                            groups=a.get("groups", 1))
        if op == "linear":
            return F.linear(x, w["weight"], w.get("bias"))
        if op == "batch_norm":
            mean = self.tensor(node["name"] + ".running_mean")
            variance = self.tensor(node["name"] + ".running_var")
            return F.batch_norm(x, mean, variance, w["weight"], w["bias"], self.training, eps=r["epsilon"])
        if op == "layer_norm":
            return F.layer_norm(x, x.shape[-1:], w["weight"], w["bias"], r["epsilon"])
        if op == "rms_norm":
            return F.rms_norm(x, x.shape[-1:], w["weight"], r["epsilon"])
        if op in _ACTIVATIONS:
            return _ACTIVATIONS[op](x)
        if op == "dropout":
            return F.dropout(x, r["p"], self.training)
        if op == "add":
            return sum(inputs[1:], x)
        if op == "multiply":
            return x * inputs[1]
        if op == "scale":
            return x * inputs[1][:, :, None, None]
        if op == "identity":
            return x
        if op == "zeros":
            return torch.zeros(len(fed[0]), *(self.size(dim, fed) for dim in node["shape"]), device=fed[0].device)
        if op == "avg_pool":
            return F.avg_pool2d(x, a["kernel"], a["stride"], a["padding"], count_include_pad=False)
        if op == "max_pool":
            return F.max_pool2d(x, a["kernel"], a["stride"], a["padding"])
        if op == "global_avg_pool":
            return x.mean((2, 3))
        if op == "patch_embedding":
            return F.conv2d(x, w["weight"], w.get("bias"), a["patch"]).flatten(2).transpose(1, 2)
        if op == "embedding":
            rows = F.embedding(x, w["weight"])
            return rows * math.sqrt(rows.shape[-1]) if a.get("scaled") else rows
        if op == "token_mask":
            return (x != 0).float()
        if op == "mean_tokens":
            x = x[:, a.get("skip", 0):]
            if len(inputs) == 1:
                return x.mean(1)
            mask = inputs[1][:, a.get("skip", 0):].unsqueeze(-1)
            return (x * mask).sum(1) / mask.sum(1).clamp_min(1)
        if op in ("concatenate_length", "append_length"):
            return torch.cat(inputs[: a.get("count", 2)], 1)
        if op == "first_token":
            return x[:, 0]
        if op == "prepend_token":
            return torch.cat([w["weight"].expand(len(x), 1, -1), x], 1)
        if op == "positions":
            return x + w["weight"][: x.shape[1]]
        if op == "sinusoid":
            return x + _sinusoid(x, a["width"], a["first"])
        if op == "rotary":
            return _rotary(x, a["heads"], r["base"])
        if op == "attention":
            return _attention(inputs, a["heads"], a.get("kv_heads", a["heads"]), bool(a.get("causal")))
        if op == "relative_attention":
            return _relative_attention(inputs, w, a)
        raise NotImplementedError(f"op {op!r}: add it to mosaic_nas/subnet.py, its meaning is in supernet/engine/ops/")


_ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh, "hard_swish": F.hardswish,
                "hard_sigmoid": F.hardsigmoid}


def _sinusoid(x: Tensor, width: int, first: int) -> Tensor:
    """Sines and cosines of positions, [length, features]: those of `width` features, cut to x's."""
    half = width // 2
    rate = torch.exp(torch.arange(half, device=x.device) * (-math.log(1e4) / max(1, half - 1)))
    angle = (torch.arange(x.shape[1], device=x.device) + first).unsqueeze(1) * rate
    table = torch.cat([angle.sin(), angle.cos()], 1)
    return F.pad(table, (0, max(0, x.shape[2] - table.shape[1])))[:, : x.shape[2]]


def _rotary(x: Tensor, heads: int, base: float) -> Tensor:
    size = x.shape[2] // heads
    rate = torch.exp(torch.arange(size // 2, device=x.device) * (-2 * math.log(base) / size))
    angle = (torch.arange(x.shape[1], device=x.device).unsqueeze(1) * rate).unsqueeze(1)
    first, second = x.unflatten(2, (heads, size)).chunk(2, -1)
    return torch.cat([first * angle.cos() - second * angle.sin(), second * angle.cos() + first * angle.sin()],
                     -1).flatten(2)


def _attention(inputs: list[Tensor], heads: int, kv_heads: int, causal: bool) -> Tensor:
    """Queries, keys, values [batch, length, heads * size], and a mask [batch, memory] of 1 where keys count."""
    q, k, v = (x.unflatten(2, (count, -1)).transpose(1, 2)
               for x, count in zip(inputs, (heads, kv_heads, kv_heads)))
    mask = None
    if len(inputs) > 3:
        mask = inputs[3].bool()[:, None, None]
        if causal:
            mask = mask & torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril()
    y = F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal and mask is None,
                                       enable_gqa=kv_heads != heads)
    return y.transpose(1, 2).flatten(2)


def _relative_attention(inputs: list[Tensor], w: dict[str, Tensor], a: dict[str, int]) -> Tensor:
    """Queries, keys, values [batch, length, heads * size]. Tables [2 distance + 1 + class_token, size] have a row for
    each distance of a key from the query along rows, or along columns; row 0 stands for all pairs with the class token."""
    q, k, v = (x.unflatten(2, (a["heads"], -1)).transpose(1, 2) for x in inputs)
    first = a["class_token"]
    patch = torch.arange(a["rows"] * a["columns"], device=q.device)

    def met(place: Tensor) -> Tensor:
        apart = (place[None] - place[:, None]).clamp(-a["distance"], a["distance"]) + a["distance"] + first
        return F.pad(apart, (first, 0, first, 0)).expand(*q.shape[:2], -1, -1)

    sides = {"rows": met(patch // a["columns"]), "columns": met(patch % a["columns"])}
    scores = q @ k.transpose(2, 3)
    for side, rows in sides.items():
        scores = scores + (q @ w["key_" + side].t()).gather(3, rows)
    shares = torch.softmax(scores * q.shape[3] ** -0.5, 3)
    y = shares @ v
    for side, rows in sides.items():
        table = w["value_" + side]
        y = y + shares.new_zeros(*shares.shape[:3], len(table)).scatter_add(3, rows, shares) @ table
    return y.transpose(1, 2).flatten(2)
