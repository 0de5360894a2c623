"""Obedience: what a gateway does when it is told to, and what it does by itself."""

from __future__ import annotations

from edge.commands.actions import Actions
from edge.commands.carrier import Commands

__all__ = ["Actions", "Commands"]
