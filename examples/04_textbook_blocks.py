"""The two textbook residual blocks on a 224x224 image, and the shape of each of their blobs."""

from caffegen import NetSpec, loads
from caffegen import layers as L
from caffegen import params as P


def unit(n, bottom, name, num_output, kernel_size=3):
    """A convolution that keeps the size, and batch normalisation, which in Caffe is two layers."""
    top = n[name] = L.Convolution(
        bottom,
        num_output=num_output,
        kernel_size=kernel_size,
        pad=kernel_size // 2,
        bias_term=False,
    )
    top = n[f"{name}_bn"] = L.BatchNorm(top, in_place=True)
    top = n[f"{name}_scale"] = L.Scale(top, bias_term=True, in_place=True)
    return top


def identity():
    """3 to 64 to 3 channels: the image itself is added to what the convolutions make of it."""
    n = NetSpec("identity block")
    n.data = L.Input(shape=dict(dim=[1, 3, 224, 224]))
    n.relu1 = L.ReLU(unit(n, n.data, "conv1", 64), in_place=True)
    main = unit(n, n.relu1, "conv2", 3)
    n.sum = L.Eltwise(n.data, main, operation=P.Eltwise.SUM)
    n.relu = L.ReLU(n.sum, in_place=True)
    return n


def projection():
    """3 to 64 to 64 channels: a 1x1 convolution gives the image as many, so that both can be added."""
    n = NetSpec("projection block")
    n.data = L.Input(shape=dict(dim=[1, 3, 224, 224]))
    n.relu1 = L.ReLU(unit(n, n.data, "conv1", 64), in_place=True)
    main = unit(n, n.relu1, "conv2", 64)
    shortcut = unit(n, n.data, "projection", 64, kernel_size=1)
    n.sum = L.Eltwise(shortcut, main, operation=P.Eltwise.SUM)
    n.relu = L.ReLU(n.sum, in_place=True)
    return n


for block in (identity(), projection()):
    net = loads(block)
    print(net.name)
    for blob, (_, channels, height, width) in net.shapes.items():
        print(f"  {blob:12} {height}x{width}x{channels}")
