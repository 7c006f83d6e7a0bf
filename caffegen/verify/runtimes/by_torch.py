"""The net through the PyTorch build."""

from __future__ import annotations

from caffegen.errors import MissingExtra

from . import Job, Outcome

__all__ = ["run", "version"]


def version() -> str:
    """The version of torch."""
    try:
        import torch
    except ImportError:
        raise MissingExtra("running a net in PyTorch", "torch") from None
    return torch.__version__


def run(job: Job) -> Outcome:
    """Every blob, on the job's device; single precision throughout."""
    import torch

    from caffegen import pytorch

    device = pytorch.find_device(job.device)
    note = ""
    if device.type == "cuda":
        # TensorFloat-32 keeps 10 bits of mantissa and would show as a difference
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        note = f"on {torch.cuda.get_device_name(device)}"
    module = pytorch.build(job.net).to(device)
    inputs = {name: torch.from_numpy(array.copy()).to(device) for name, array in job.inputs.items()}
    with torch.no_grad():
        blobs = module.run(inputs)
    # a Parameter's top is the parameter itself, which asks for a gradient even here
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in blobs.items()}
    return Outcome(arrays, note)
