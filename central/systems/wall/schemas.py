"""The wall as the API shows it: layouts with their versions, and the screens that may show them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from central.kernel.shapes import Asked, Name, Page, Shape
from central.systems.wall.layout import Layout

LayoutId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


class LayoutBrief(Shape):
    """A layout without its panels."""

    id: str
    name: Name
    version: int = Field(description="0: as the product brings it")
    saved_at: datetime | None
    saved_by: str


class LayoutOut(LayoutBrief):
    """A layout as it is shown."""

    layout: Layout


class LayoutPage(Page[LayoutBrief]):
    """Layouts by id."""


class SaveLayout(Asked):
    """A layout to save."""

    name: Name
    layout: Layout
    version: int = Field(ge=0, description="the version that was changed; another one by now: 409")


class WallOut(Shape):
    """What this screen is to show."""

    screen: str = Field(description="the screen's name; empty for a person who looks")
    layout: LayoutOut | None = Field(description="null: choose `standard` or `wide` by the screen's shape")


class Screen(Shape):
    """A wall screen: a principal that may read, and nothing else."""

    id: str
    name: str
    layout: str = Field(description="id of its layout; empty: by the screen's shape")
    areas: list[str] = Field(description="districts that it shows; none: all")
    departments: list[str] = Field(description="owner departments whose sites it shows; none: all")
    created_at: datetime
    created_by: str
    linked_at: datetime | None = Field(description="when a browser took its link; null: none has yet")
    seen_at: datetime | None


class ScreenPage(Page[Screen]):
    """Screens, the newest first."""


class NewScreen(Asked):
    """A screen to make."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    layout: Annotated[str, Field(max_length=32)] = ""
    areas: list[str] = Field(default=[], max_length=100)
    departments: list[str] = Field(default=[], max_length=100)


class ScreenLink(Shape):
    """A screen with the one-time code of its link, shown once."""

    screen: Screen
    code: str = Field(description="open `/wall#` with this behind it; it works once")
    expires_at: datetime


class TakeLink(Asked):
    """The code that a browser found behind the `#` of its address."""

    code: SecretStr = Field(max_length=200)
