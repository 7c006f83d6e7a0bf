"""Proof: the same input through several runtimes that nobody here wrote, blob by blob."""

from .compare import compare
from .inputs import seeded_inputs
from .report import BlobDifference, RuntimeRun, VerifyReport

__all__ = ["BlobDifference", "RuntimeRun", "VerifyReport", "compare", "seeded_inputs"]
