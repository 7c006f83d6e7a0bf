"""From nets to ONNX: one file per family of layers, with the file names of `layer_types`."""
