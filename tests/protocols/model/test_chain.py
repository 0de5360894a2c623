"""Hash chains: any change of the past shows, at its place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols.model.chain import START, Scalar, first_break, seal

Record = dict[str, Scalar]
records = st.lists(
    st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=8)),
    min_size=1,
    max_size=8,
)


def chained(contents: list[Record]) -> list[tuple[Record, bytes, bytes]]:
    links, previous = [], START
    for content in contents:
        sealed = seal(previous, content)
        links.append((content, previous, sealed))
        previous = sealed
    return links


@given(records)
def test_an_untouched_chain_is_whole(contents: list[Record]) -> None:
    assert first_break(chained(contents)) is None


@given(records, st.data())
def test_a_changed_record_shows_at_its_place(contents: list[Record], data: st.DataObject) -> None:
    links = chained(contents)
    place = data.draw(st.integers(0, len(links) - 1))
    record, previous, sealed = links[place]
    links[place] = ({**record, "forged": 1}, previous, sealed)
    assert first_break(links) == place


@given(records, st.data())
def test_a_removed_record_shows(contents: list[Record], data: st.DataObject) -> None:
    links = chained(contents)
    if len(links) < 2:
        return
    place = data.draw(st.integers(0, len(links) - 2))
    del links[place]
    assert first_break(links) == place
