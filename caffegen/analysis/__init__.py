"""What can be known of a net without running it."""

from .infer import infer
from .sharing import ParamOwner, param_owners

__all__ = ["ParamOwner", "infer", "param_owners"]
