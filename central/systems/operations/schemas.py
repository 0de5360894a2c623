"""What operations answers."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from central.store.keeping.classes import RetentionClass


class RetentionShare(BaseModel):
    """How many points of a kind of device are in a class."""

    retention: RetentionClass
    kind: str
    points: int


class Retention(BaseModel):
    """How long readings stay. archived: they are written to Parquet before they are deleted."""

    days: dict[RetentionClass, int] = Field(description="days that readings stay, by class")
    rollup_days: dict[str, int] = Field(description="days that rollups stay, by width; 0: for ever")
    archived: bool
    kinds: dict[str, RetentionClass] = Field(description="classes chosen for kinds of devices")
    points: list[RetentionShare]


class RetentionChoice(BaseModel):
    """A class to choose; null takes the choice back."""

    retention: RetentionClass | None


class PointRetention(BaseModel):
    """The class of a point. own: chosen for it; null where its device's kind decides."""

    point: str
    own: RetentionClass | None
    retention: RetentionClass


class Stored(BaseModel):
    """Read from what the store says of itself."""

    model_config = ConfigDict(from_attributes=True)


class DueOut(Stored):
    """The oldest day that still has readings of a class, and the day at whose beginning (UTC) they go."""

    retention: RetentionClass
    day: date
    at: date


class ArchivedOut(Stored):
    """What the archive has of a class."""

    retention: str
    files: int
    rows: int
    bytes: int
    oldest: date
    newest: date
    last_at: datetime


class ArchiveFileOut(Stored):
    """A file of the archive."""

    day: date
    retention: str
    file: str = Field(description="relative to the archive's folder")
    rows: int
    bytes: int
    archived_at: datetime


class HoldingsOut(Stored):
    """What lies where, and what goes next. Days are UTC."""

    days: int = Field(description="days that have readings")
    oldest: date | None
    newest: date | None
    bytes: int
    rollups: dict[str, int] = Field(description="bytes by width")
    gone_days: int = Field(description="days that were dropped as a whole")
    gone_at: datetime | None = Field(description="when the last of them was")
    archive: list[ArchivedOut]
    files: list[ArchiveFileOut] = Field(description="the newest 50")
    due: list[DueOut] = Field(description="soonest first")


class RetentionState(BaseModel):
    """What lies where, and when the centre looks again what has fallen due."""

    holdings: HoldingsOut
    archive_folder: str
    every_s: int = Field(description="so often it looks, seconds")
    looked_at: datetime | None = Field(description="last time; null: not since this centre started")
    next_at: datetime | None
