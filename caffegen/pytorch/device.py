"""The device to compute on, or a sentence when it is not there."""

from __future__ import annotations

import torch

from caffegen.errors import CaffegenError

__all__ = ["find_device"]


def find_device(name: str | torch.device) -> torch.device:
    """The device of this name; CaffegenError when this machine has none, or it computes nothing."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise CaffegenError(
            f"`{name}` names no device; PyTorch knows `cpu`, `cuda`, `mps` ..."
        ) from None
    if device.type == "meta":
        raise CaffegenError(
            f"the device `{name}` has shapes and no values: nothing is computed there"
        )
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count == 0:
            raise CaffegenError(f"the device `{name}` is not there: PyTorch finds no GPU")
        if device.index is not None and device.index >= count:
            raise CaffegenError(
                f"the device `{name}` is not there: the last GPU here is `cuda:{count - 1}`"
            )
        return device
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise CaffegenError(f"the device `{name}` is not there: this machine has `cpu`") from None
    return device
