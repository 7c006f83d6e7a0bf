"""Checking from Python: a net with three faults, and what is found in one run."""

import caffegen

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 9 group: 2 kernel_size: 3 } }
layer { name: "pool" type: "Pooling" bottom: "dat" top: "pool" pooling_param { kernel_size: 2 } }
layer { name: "sum" type: "Eltwise" bottom: "data" bottom: "half" top: "sum" }
layer { name: "half" type: "Power" bottom: "data" top: "half" power_param { scale: 0.5 } }
"""

try:
    caffegen.loads(TEXT)
except caffegen.NetError as error:
    for found in error.diagnostics:
        print(f"{found.span.line}:{found.span.column} {found.name}: {found.message}")
