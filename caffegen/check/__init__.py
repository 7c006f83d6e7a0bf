"""Checking: every finding about a prototxt, over its states, with suppressions and expectations."""

from .options import Checked, Options
from .source import check_source
from .suppression import apply_fixes

__all__ = ["Checked", "Options", "apply_fixes", "check_source"]
