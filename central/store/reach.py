"""Queries that name many rows, or look at some sites only. Of sites, None stands for all."""

from __future__ import annotations

from collections.abc import Collection, Set

from sqlalchemy import ARRAY, ColumnElement, String, any_, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from central.store.registry import Device


def among(
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None], values: Collection[str]
) -> ColumnElement[bool]:
    """Return the condition that a column has one of the values.

    One array and not a list of parameters: the statement stays the same for whatever number of values, so
    that nobody composes, parses and plans it anew; of hundreds that costs more than to answer it.
    """
    return column == any_(literal(sorted(values), ARRAY(String)))


def at_sites(
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None], sites: Set[str] | None
) -> list[ColumnElement[bool]]:
    """Return the condition that a column names one of the sites; what is at no site fits only None."""
    if sites is None:
        return []
    return [among(column, sites)]


def of_devices_at(column: InstrumentedAttribute[str], sites: Set[str] | None) -> list[ColumnElement[bool]]:
    """Return the condition that a column names a device at one of the sites."""
    if sites is None:
        return []
    return [column.in_(select(Device.id).where(*at_sites(Device.site, sites)))]
