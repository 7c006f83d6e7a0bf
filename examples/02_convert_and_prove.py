"""A net from the zoo through PyTorch, onnxruntime and OpenCV: same input, same blobs."""

import torch

import caffegen
from caffegen import onnx_bridge, pytorch, verify
from caffegen.analysis.fill import fill_params
from caffegen.zoo import resnet

bare = caffegen.loads(resnet(depth=20, dataset="cifar10"))
net = caffegen.loads(bare.message, fill_params(bare.graph, seed=0))
net.save("resnet20.prototxt", "resnet20.caffemodel")
net = caffegen.load("resnet20.prototxt", "resnet20.caffemodel")
print(net)

module = pytorch.build(net)
images = torch.randn(4, 3, 32, 32)
print("classes:", module(images)["prob"].argmax(1).tolist())

onnx_bridge.save(net, "resnet20.onnx", dynamic_batch=True)

report = verify.compare(net)
print(report.verdict)
assert report.ok
