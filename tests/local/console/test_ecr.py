"""These tests open the page of the example ecr in a browser, and check the words of lifecycle rules."""

from typing import Any

import pytest
from playwright.sync_api import expect

from console.pages.ecr import rule_in_words
from tests.local.console.conftest import OpenPage
from tests.support.browser import needs_browser
from tests.support.deployment import Deployment


@needs_browser
def test_the_page_shows_the_web_image(open_page: OpenPage, deployment: Deployment) -> None:
    outputs = deployment.outputs("ecr")
    page = open_page("/examples/ecr")
    if "WebImage" not in outputs:
        expect(page.get_by_text("The repository is empty, because no image can be built")).to_be_visible()
        return
    tag = outputs["WebImage"].rpartition(":")[2]
    row = page.get_by_role("row", name="the stack's WebImage")
    expect(row.get_by_text(f"{tag[:12]}…")).to_be_visible()
    expect(row).to_contain_text("MB")
    expect(page.get_by_text("Tags are immutable")).to_be_visible()
    expect(page.get_by_text("ECR deletes images with a tag, except the newest 10.")).to_be_visible()


@needs_browser
def test_a_new_tag_appears_while_the_page_is_open(open_page: OpenPage, deployment: Deployment) -> None:
    outputs = deployment.outputs("ecr")
    if "WebImage" not in outputs:
        pytest.skip("the repository is empty, because no container tool works")
    ecr, (name, _, tag) = deployment.client("ecr"), outputs["WebImage"].partition("/")[2].rpartition(":")
    page = open_page("/examples/ecr")
    expect(page.get_by_role("row", name="the stack's WebImage")).to_be_visible()
    (image,) = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": tag}])["images"]
    # Because of the space at the end, this is another image. The local AWS deletes an image with all its tags.
    ecr.put_image(repositoryName=name, imageManifest=f"{image['imageManifest']} ", imageTag="seen_by-the.console")
    try:
        expect(page.get_by_text("seen_by-the.console")).to_be_visible()
    finally:
        ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "seen_by-the.console"}])


@pytest.mark.parametrize(
    ("selection", "action", "expected"),
    [
        (
            {"tagStatus": "untagged", "countType": "sinceImagePushed", "countNumber": 1, "countUnit": "days"},
            "expire",
            "ECR deletes images without a tag 1 day after their push.",
        ),
        (
            {"tagStatus": "tagged", "tagPatternList": ["*"], "countType": "imageCountMoreThan", "countNumber": 10},
            "expire",
            "ECR deletes images with a tag, except the newest 10.",
        ),
        (
            {"tagStatus": "tagged", "tagPrefixList": ["a", "b"], "countType": "imageCountMoreThan", "countNumber": 3},
            "expire",
            "ECR deletes images with a tag like a* or b*, except the newest 3.",
        ),
        (
            {"tagStatus": "any", "countType": "sinceImagePulled", "countNumber": 90, "countUnit": "days"},
            "transition",
            "ECR archives images 90 days after their last pull.",
        ),
    ],
)
def test_a_lifecycle_rule_in_words(selection: dict[str, Any], action: str, expected: str) -> None:
    assert rule_in_words({"rulePriority": 1, "selection": selection, "action": {"type": action}}) == expected
