"""The tests. If an `assert` in one of these folders fails, pytest explains it, also in modules without tests."""

import pytest

pytest.register_assert_rewrite(
    *("tests.containers", "tests.contracts", "tests.docs", "tests.handlers", "tests.local", "tests.project"),
    *("tests.smoke", "tests.stacks", "tests.support"),
)
