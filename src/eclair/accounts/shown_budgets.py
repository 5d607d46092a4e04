"""Budgets with the sums of their use, as those who administer see them.

In works-council mode no sum is shown of fewer than five people, nor one from which such a sum follows when others that
are shown are taken from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eclair.accounts.budgets import Budgets
from eclair.schema.budgets import Budget
from eclair.schema.principal import PersonRole
from eclair.schema.works_council import MIN_GROUP_PEOPLE, may_show_part
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.budgets import BudgetSum


@dataclass(frozen=True, slots=True)
class ShownBudget:
    """A budget and its use, None where works-council mode hides it. `exhausted` is None where that alone is hidden."""

    budget: Budget
    use: BudgetSum | None
    exhausted: int | None


class PeopleParts:
    """People, in parts that differ by which of the shown sums they are in.

    A combination of sums concerns whole parts, so none of them may be smaller than `MIN_GROUP_PEOPLE`.
    """

    def __init__(self, people: Iterable[str]) -> None:
        self._part_of = dict.fromkeys(people, 0)
        self._sizes = {0: len(self._part_of)}

    def may_show(self, members: Iterable[str]) -> bool:
        """Tell if the sum of these people may be shown beside those before; then it counts as shown."""
        present = [each for each in members if each in self._part_of]
        inside = Counter(self._part_of[each] for each in present)
        for part, count in inside.items():
            others = self._sizes[part] - count
            if count < MIN_GROUP_PEOPLE or 0 < others < MIN_GROUP_PEOPLE:
                return False
        fresh = {part: len(self._sizes) + at for at, part in enumerate(inside)}
        for each in present:
            self._part_of[each] = fresh[self._part_of[each]]
        for part, count in inside.items():
            self._sizes[part] -= count
            self._sizes[fresh[part]] = count
        return bool(present)


async def sum_budgets(budgets: Budgets, storage: Storage, settings: Settings) -> list[ShownBudget]:
    """List the budgets with what is used of them in this period."""
    listed = await budgets.list_budgets()
    hidden = await _hidden_budgets(listed, storage, settings) if settings.works_council else frozenset[str]()
    found = list[ShownBudget]()
    for budget in listed:
        use = None if budget.id in hidden else await budgets.sum_uses(budget)
        if use is not None and settings.works_council:
            found.append(_without_few(budget, use))
        else:
            found.append(ShownBudget(budget, use, None if use is None else use.exhausted))
    return found


def _without_few(budget: Budget, use: BudgetSum) -> ShownBudget:
    """Return a budget of enough people without what concerns only a few of them."""
    if not budget.each:
        return ShownBudget(budget, use, use.exhausted)
    if 0 < use.holders < MIN_GROUP_PEOPLE:
        return ShownBudget(budget, None, None)
    return ShownBudget(budget, use, use.exhausted if may_show_part(use.exhausted, use.holders) else None)


async def _hidden_budgets(budgets: Iterable[Budget], storage: Storage, settings: Settings) -> frozenset[str]:
    """Return the ids of budgets whose sums are hidden: larger groups come first, and may hide smaller ones."""
    people = await storage.people.list_roles() if settings.accounts == "on" else {}
    members = {budget.id: await _members(budget, people, storage) for budget in budgets}
    parts = PeopleParts(people)
    order = sorted(members, key=lambda id: (-len(members[id]), id))
    return frozenset(id for id in order if not parts.may_show(members[id]))


async def _members(budget: Budget, people: Mapping[str, PersonRole], storage: Storage) -> frozenset[str]:
    """Return the people whom the sum of a budget concerns; none for a person or key, whose sum is never shown."""
    match budget.kind:
        case "everyone":
            return frozenset(people)
        case "role":
            return frozenset(id for id, role in people.items() if role == budget.subject)
        case "group":
            return frozenset(await storage.groups.list_member_ids(budget.subject)) & people.keys()
        case "person" | "key":
            return frozenset()


async def is_house_hidden(settings: Settings, storage: Storage) -> bool:
    """Tell whether works-council mode hides the figures of all people together, since they are too few."""
    if not settings.works_council:
        return False
    people = await storage.people.count_people() if settings.accounts == "on" else {}
    return sum(people.values()) < MIN_GROUP_PEOPLE
