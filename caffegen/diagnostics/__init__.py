"""Findings: what one is, how they are collected, and how they are shown."""

from .diagnostic import UNKNOWN, Diagnostic, NetError, Report, Severity, told_once

__all__ = ["UNKNOWN", "Diagnostic", "NetError", "Report", "Severity", "told_once"]
