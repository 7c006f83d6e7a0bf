"""A residual block in ten lines: two 3x3 convolutions and the identity, joined by an Eltwise SUM."""

from caffegen import NetSpec, loads
from caffegen import layers as L
from caffegen import params as P

n = NetSpec()
n.data = L.Input(shape=dict(dim=[1, 64, 56, 56]))
top = n.data
for name in ("a", "b"):
    top = L.Convolution(top, num_output=64, kernel_size=3, pad=1, bias_term=False)
    n[f"conv_{name}"] = top
    n[f"bn_{name}"] = top = L.BatchNorm(top, in_place=True)
    n[f"scale_{name}"] = top = L.Scale(top, bias_term=True, in_place=True)
    if name == "a":
        n.relu_a = top = L.ReLU(top, in_place=True)
n.sum = L.Eltwise(n.data, top, operation=P.Eltwise.SUM)
n.relu = L.ReLU(n.sum, in_place=True)

net = loads(n)
print(net.to_prototxt())
for blob, shape in net.shapes.items():
    print(f"# {blob}: {shape}")
