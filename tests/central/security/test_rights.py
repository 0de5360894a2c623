"""A person's rights are the sum of grants, each over its own part of the city; a token only takes away."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from central.security.principal import Principal
from central.security.rights import Right, beyond
from central.security.roles import PERMISSIONS, WHOLE_CENTRE, Permission, Role
from central.security.sight import NOTHING

AREAS = ("gulou", "binjiang", "xishan")
OWNERS = ("water", "roads")

parts = st.none() | st.frozensets(st.sampled_from(AREAS), min_size=1)
owners = st.none() | st.frozensets(st.sampled_from(OWNERS), min_size=1)
rights = st.builds(
    lambda role, areas, departments: Right(role, PERMISSIONS[role], areas, departments),
    st.sampled_from(list(Role)),
    parts,
    owners,
)


def reaches(held: list[Right], permission: Permission) -> set[tuple[str, str]]:
    """The (district, department) pairs where the permission holds."""
    return {
        (area, owner)
        for area in AREAS
        for owner in OWNERS
        for right in held
        if right.carries(permission)
        and (right.areas is None or area in right.areas)
        and (right.departments is None or owner in right.departments)
    }


@given(st.lists(rights, max_size=4), rights)
def test_a_limit_never_adds_anything(held: list[Right], limit: Right) -> None:
    left = [narrowed for right in held if (narrowed := right.narrowed(limit)) is not None]
    for permission in Permission:
        found = reaches(left, permission)
        assert found <= reaches(held, permission)
        assert found <= reaches([limit], permission)
        if permission not in WHOLE_CENTRE:
            assert found == reaches(held, permission) & reaches([limit], permission)


@given(st.lists(rights, max_size=3), st.lists(rights, max_size=3))
def test_what_may_be_given_away_is_held_by_the_giver(wanted: list[Right], held: list[Right]) -> None:
    if not beyond(wanted, held):
        for permission in Permission:
            assert reaches(wanted, permission) <= reaches(held, permission)
    assert not beyond(wanted, [Right("admin", PERMISSIONS[Role.ADMIN])])
    assert not beyond(held, held)


def test_operator_here_and_viewer_there() -> None:
    person = Principal(
        "li.na",
        "李娜",
        (
            Right("operator", PERMISSIONS[Role.OPERATOR], frozenset({"gulou"})),
            Right("viewer", PERMISSIONS[Role.VIEWER], frozenset({"binjiang"})),
        ),
        "session",
    )
    assert person.may(Permission.COMMAND)
    assert person.role == "operator"
    assert person.sight == NOTHING  # until a permission is asked for
    assert reaches([*person.rights], Permission.COMMAND) == {("gulou", owner) for owner in OWNERS}
    assert {area for area, _ in reaches([*person.rights], Permission.READ)} == {"gulou", "binjiang"}


def test_an_administrator_of_one_district_does_not_administer_the_centre() -> None:
    limited = Right("admin", PERMISSIONS[Role.ADMIN], frozenset({"gulou"}))
    assert not any(limited.carries(permission) for permission in WHOLE_CENTRE)
    assert limited.carries(Permission.MANAGE_GATEWAYS)
