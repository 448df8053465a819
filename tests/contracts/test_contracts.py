"""Every stack follows every contract, and every contract notices the mistakes that mutations.py makes."""

import copy
import importlib
import pkgutil
from types import ModuleType

import pytest

from config import PROFILES
from tests import contracts
from tests.contracts.mutations import MUTATIONS, Mutation
from tests.support.apps import STACKS, templates

MODULES = {
    module.name: importlib.import_module(f"{contracts.__name__}.{module.name}")
    for module in pkgutil.iter_modules(contracts.__path__)
    if not module.name.startswith("test_")
}
CONTRACTS = {name: module for name, module in MODULES.items() if hasattr(module, "faults")}


def profiles_of(contract: ModuleType) -> tuple[str, ...]:
    """Return the profiles in which a contract holds."""
    return getattr(contract, "CONTRACT_PROFILES", tuple(PROFILES))


def faults_of(name: str, stem: str) -> set[str]:
    """Return the faults of a stack in all profiles of a contract. A fault of several profiles is there only once."""
    contract = CONTRACTS[name]
    return {fault for profile in profiles_of(contract) for fault in contract.faults(templates(profile)[stem])}


@pytest.mark.parametrize("stem", sorted(STACKS))
@pytest.mark.parametrize("name", CONTRACTS)
def test_a_stack_follows_a_contract(name: str, stem: str) -> None:
    if faults := faults_of(name, stem):
        pytest.fail("\n".join(f"{stem}: {fault}" for fault in sorted(faults)), pytrace=False)


@pytest.mark.parametrize(
    ("name", "mutation"),
    [
        pytest.param(name, mutation, id=f"{name}: {mutation.name}")
        for name, mutations in MUTATIONS.items()
        for mutation in mutations
    ],
)
def test_a_contract_notices_a_mistake(name: str, mutation: Mutation) -> None:
    contract = CONTRACTS[name]
    for profile in mutation.profiles or profiles_of(contract):
        for stem in mutation.stems.split():
            original = templates(profile)[stem]
            changed = copy.deepcopy(original)
            mutation.change(changed)
            new_faults = set(contract.faults(changed)) - set(contract.faults(original))
            assert any(mutation.fault in fault for fault in new_faults), (profile, stem, new_faults)


def test_every_contract_has_mutations() -> None:
    assert set(MUTATIONS) == set(CONTRACTS)
