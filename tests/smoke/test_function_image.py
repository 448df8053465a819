"""These tests run tests of the thumbnail example again, with the function_image example.

They run in an account, or in the local AWS, a program that imitates AWS on this machine.
"""

from collections.abc import Iterator

import pytest

from tests.smoke.test_thumbnail import (  # noqa: F401 - pytest runs these tests here, too
    ThumbnailExample,
    test_a_real_photo_becomes_a_thumbnail_and_an_item,
    test_a_removed_picture_loses_its_thumbnail_and_its_item,
    test_a_replaced_picture_replaces_its_thumbnail,
    test_bad_pictures_are_rejected_with_a_reason_and_without_retries,
)
from tests.support.deployment import Deployment

pytestmark = pytest.mark.timeout(900)  # AWS may need some minutes


@pytest.fixture(scope="module")
def example(deployment: Deployment) -> Iterator[ThumbnailExample]:
    example = ThumbnailExample.of(deployment, "function_image")
    example.wait_for_notifications()
    yield example
    example.remove_all()


def test_the_bucket_invokes_a_function_that_is_an_image(example: ThumbnailExample) -> None:
    configuration = example.lambda_.get_function_configuration(FunctionName=example.function())
    assert configuration["PackageType"] == "Image"
