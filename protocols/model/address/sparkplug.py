"""A Sparkplug B address: a metric by its name."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from protocols.model.address.base import Address


class SparkplugAddress(Address):
    """Metric of an edge node or device by its name; `path` finds a part of a composite one (`[0].flow`)."""

    params: ClassVar = {"group": "city", "node": "node", "device": "device"}

    metric: str = Field(min_length=1, description="the metric's name as births tell it")
    path: str = Field(
        default="",
        description="element [3] of an array, cell [0].flow of a DataSet, member flow of a Template",
    )
