"""Routers: which experts they choose, and what their choice tells of the domain."""

from __future__ import annotations

from collections.abc import Iterator

from ....analyze.routers.reading import routing
from ....analyze.routers.routing import Routing
from ....errors import UnsupportedModelError
from ....registry.routes import routes
from ....view.bars import number
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter

CROWDED, TOLD = 2.0, 2.0  # times an even share; times what chance gives
SIGNIFICANT = 0.05


def _read(case: Case) -> Iterator[Picture | Remark]:
    known = routes(case.lifted.spec)
    if not known:
        raise UnsupportedModelError(
            f"{case.lifted.spec.model_id} has no routers.", "Only a mixture of experts has some."
        )
    found = routing(
        case.lifted,
        case.domains,
        case.taps,
        [route.gate or route.ffn for route in known],
        relabellings=case.sizes.relabellings,
        seed=case.seed,
    )
    yield found.plot()
    if len(found.domains) > 1:
        yield found.plot(max(found.routers, key=lambda name: found.routers[name].information.value))
    yield found.picture()
    yield from _remarks(found)


def _remarks(found: Routing) -> Iterator[Remark]:
    crowds = {name: float(one.load.mean.max()) * one.experts for name, one in found.routers.items()}
    name = max(crowds, key=lambda router: crowds[router])
    one = found.routers[name]
    yield Remark(
        said=f"expert_{int(one.load.mean.argmax())} gets {number(float(one.load.mean.max()))} of all choices of {name},"
        f" {number(crowds[name])} times an even share",
        rule="load of one expert over an even share",
        value=crowds[name],
        threshold=CROWDED,
    )
    telling = {
        name: one.information.value / one.information.floor
        for name, one in found.routers.items()
        if one.information.floor > 0 and one.information.p <= SIGNIFICANT
    }
    if telling:
        name = max(telling, key=lambda router: telling[router])
        told = found.routers[name].information
        yield Remark(
            said=f"The choice of {name} tells {number(told.value)} nats of the domain, the token being known; chance"
            f" gives {number(told.floor)} (p {number(told.p)})",
            rule=f"information of a choice about the domain over that of chance, p ≤ {SIGNIFICANT:g},",
            value=telling[name],
            threshold=TOLD,
        )


ROUTERS = Chapter(
    key="routers",
    title="What the routers choose",
    shows="How choices fall on the experts, how sure the routers are, and what a choice tells of the domain.",
    hides="An expert that is chosen for a domain need not be the better one for it; calibrate measures that.",
    verb="routers",
    read=_read,
)
