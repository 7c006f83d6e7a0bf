"""Findings: what one is, how they are collected, and how they are shown."""

from .diagnostic import Diagnostic, NetError, Report, Severity

__all__ = ["Diagnostic", "NetError", "Report", "Severity"]
