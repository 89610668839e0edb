"""The entries of the official HRNet checkpoints, written down from their key patterns, not from our code."""

from __future__ import annotations

Shapes = dict[str, tuple[int, ...]]


def hrnet_pose(width: int, keypoints: int) -> Shapes:
    """pose_hrnet: stage4.2 has only the first row of exchanges."""
    shapes = _trunk(width, last_rows=1)
    return shapes | {"final_layer.weight": (keypoints, width, 1, 1), "final_layer.bias": (keypoints,)}


def hrnet_classifier(width: int) -> Shapes:
    """cls_hrnet: all rows, and a head on all four branches."""
    shapes = _trunk(width, last_rows=4)
    outer = [128, 256, 512, 1024]
    for b in range(4):
        shapes |= _bottleneck(f"incre_modules.{b}.0", width * 2**b, outer[b] // 4, downsample=True)
    for b in range(3):
        shapes |= _conv(f"downsamp_modules.{b}.0", outer[b + 1], outer[b], 3, bias=True)
        shapes |= _bn(f"downsamp_modules.{b}.1", outer[b + 1])
    shapes |= _conv("final_layer.0", 2048, 1024, 1, bias=True) | _bn("final_layer.1", 2048)
    return shapes | {"classifier.weight": (1000, 2048), "classifier.bias": (1000,)}


def _trunk(width: int, last_rows: int) -> Shapes:
    c = [width * 2**b for b in range(4)]
    shapes = _conv("conv1", 64, 3, 3) | _bn("bn1", 64) | _conv("conv2", 64, 64, 3) | _bn("bn2", 64)
    for k in range(4):
        shapes |= _bottleneck(f"layer1.{k}", 64 if k == 0 else 256, 64, downsample=k == 0)
    shapes |= _conv("transition1.0.0", c[0], 256, 3) | _bn("transition1.0.1", c[0])
    shapes |= _conv("transition1.1.0.0", c[1], 256, 3) | _bn("transition1.1.0.1", c[1])
    shapes |= _conv("transition2.2.0.0", c[2], c[1], 3) | _bn("transition2.2.0.1", c[2])
    shapes |= _conv("transition3.3.0.0", c[3], c[2], 3) | _bn("transition3.3.0.1", c[3])
    for stage, modules, branches in ((2, 1, 2), (3, 4, 3), (4, 3, 4)):
        for m in range(modules):
            name = f"stage{stage}.{m}"
            for b in range(branches):
                for k in range(4):
                    block = f"{name}.branches.{b}.{k}"
                    for n in (1, 2):
                        shapes |= _conv(f"{block}.conv{n}", c[b], c[b], 3) | _bn(f"{block}.bn{n}", c[b])
            rows = last_rows if (stage, m) == (4, 2) else branches
            for i in range(rows):
                for j in range(branches):
                    shapes |= _exchange(f"{name}.fuse_layers.{i}.{j}", c, i, j)
    return shapes


def _exchange(name: str, c: list[int], i: int, j: int) -> Shapes:
    if j > i:
        return _conv(f"{name}.0", c[i], c[j], 1) | _bn(f"{name}.1", c[i])
    shapes: Shapes = {}
    for k in range(i - j):
        outputs = c[i] if k == i - j - 1 else c[j]
        shapes |= _conv(f"{name}.{k}.0", outputs, c[j], 3) | _bn(f"{name}.{k}.1", outputs)
    return shapes


def _bottleneck(name: str, inputs: int, planes: int, downsample: bool) -> Shapes:
    shapes = _conv(f"{name}.conv1", planes, inputs, 1) | _conv(f"{name}.conv2", planes, planes, 3)
    shapes |= _conv(f"{name}.conv3", planes * 4, planes, 1)
    shapes |= _bn(f"{name}.bn1", planes) | _bn(f"{name}.bn2", planes) | _bn(f"{name}.bn3", planes * 4)
    if downsample:
        shapes |= _conv(f"{name}.downsample.0", planes * 4, inputs, 1) | _bn(
            f"{name}.downsample.1", planes * 4
        )
    return shapes


def _conv(name: str, outputs: int, inputs: int, kernel: int, bias: bool = False) -> Shapes:
    shapes: Shapes = {f"{name}.weight": (outputs, inputs, kernel, kernel)}
    return shapes | ({f"{name}.bias": (outputs,)} if bias else {})


def _bn(name: str, channels: int) -> Shapes:
    kinds = ("weight", "bias", "running_mean", "running_var")
    shapes: Shapes = {f"{name}.{kind}": (channels,) for kind in kinds}
    return shapes | {f"{name}.num_batches_tracked": ()}
