"""Queries that look at some sites only: one condition, whatever the table. None stands for all sites."""

from __future__ import annotations

from collections.abc import Set

from sqlalchemy import ARRAY, ColumnElement, String, any_, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from central.store.registry import Device


def at_sites(
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None], sites: Set[str] | None
) -> list[ColumnElement[bool]]:
    """Return the condition that a column names one of the sites; what is at no site fits only None."""
    if sites is None:
        return []
    # One array and not a list of parameters: the statement stays the same for whatever number of sites.
    return [column == any_(literal(sorted(sites), ARRAY(String)))]


def of_devices_at(column: InstrumentedAttribute[str], sites: Set[str] | None) -> list[ColumnElement[bool]]:
    """Return the condition that a column names a device at one of the sites."""
    if sites is None:
        return []
    return [column.in_(select(Device.id).where(*at_sites(Device.site, sites)))]
