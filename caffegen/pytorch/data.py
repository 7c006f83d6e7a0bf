"""HDF5Output in PyTorch; the tops of the other layers of data are the caller's."""

from __future__ import annotations

from caffegen.layer_types import data as definitions

from .branching import Silence
from .registry import Lowered, lowers


@lowers("HDF5Output")
def hdf5_output(_definition: definitions.HDF5Output) -> Lowered:
    """Makes no blobs, and no file: what a model names is never written to.

    `module.run` gives both bottoms to whoever wants to keep them.
    """
    return Lowered(Silence())
