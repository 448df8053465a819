"""Every stack keeps every contract, and every contract notices what it is there for."""

import copy
import importlib
import pkgutil
from types import ModuleType

import pytest

from config import PROFILES
from tests import contracts
from tests.contracts.mutations import MUTATIONS, Mutation
from tests.support.apps import EVERY_STACK, templates

MODULES = {
    found.name: importlib.import_module(f"{contracts.__name__}.{found.name}")
    for found in pkgutil.iter_modules(contracts.__path__)
    if not found.name.startswith("test_")
}
CONTRACTS = {name: module for name, module in MODULES.items() if hasattr(module, "faults")}


def profiles_of(contract: ModuleType) -> tuple[str, ...]:
    """The profiles that a contract holds in."""
    return getattr(contract, "HELD_IN", tuple(PROFILES))


@pytest.mark.parametrize(
    ("name", "profile", "stem"),
    [
        (name, profile, stem)
        for name, contract in CONTRACTS.items()
        for profile, stem in EVERY_STACK
        if profile in profiles_of(contract)
    ],
)
def test_every_stack_keeps_the_contract(name: str, profile: str, stem: str) -> None:
    assert CONTRACTS[name].faults(templates(profile)[stem]) == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.contract}: {mutation.name}")
def test_the_contract_notices(mutation: Mutation) -> None:
    contract = CONTRACTS[mutation.contract]
    for profile in mutation.profiles or profiles_of(contract):
        for stem in mutation.stems:
            original = templates(profile)[stem]
            changed = copy.deepcopy(original)
            mutation.change(changed)
            new = set(contract.faults(changed)) - set(contract.faults(original))
            assert any(mutation.says in fault for fault in new), (profile, stem, new)


def test_there_are_twenty_mutations_and_some_for_every_contract() -> None:
    assert len(MUTATIONS) >= 20
    assert {mutation.contract for mutation in MUTATIONS} == set(CONTRACTS)


def test_no_two_mutations_share_a_name() -> None:
    names = [(mutation.contract, mutation.name) for mutation in MUTATIONS]
    assert len(names) == len(set(names))
