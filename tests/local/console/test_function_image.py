"""These tests upload a picture on the page of the function_image example, in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from local.project import PHOTO
from tests.local.console.conftest import OpenPage
from tests.support.browser import needs_browser
from tests.support.deployment import Deployment

KEY = "console image test.jpg"


@pytest.fixture
def clean_up(deployment: Deployment) -> Iterator[None]:
    yield
    bucket = deployment.outputs("function_image")["UploadsBucketName"]
    deployment.client("s3").delete_object(Bucket=bucket, Key=KEY)


@needs_browser
@pytest.mark.usefixtures("clean_up")
def test_a_chosen_picture_becomes_a_thumbnail_of_the_image_function(open_page: OpenPage) -> None:
    page = open_page("/examples/function_image")
    page.get_by_label("Files").set_input_files({"name": KEY, "mimeType": "image/jpeg", "buffer": PHOTO.read_bytes()})
    card = page.get_by_role("article", name=KEY, exact=True)
    expect(card.get_by_text("made", exact=True)).to_be_visible(timeout=20_000)  # perhaps the container must start first
    expect(card.get_by_role("img")).to_have_js_property("naturalWidth", 256)


@needs_browser
def test_the_page_compares_both_packages(open_page: OpenPage, deployment: Deployment) -> None:
    rows = open_page("/examples/function_image").get_by_role("region", name="Packages of both functions")
    size = "MB" if "WebImage" in deployment.outputs("ecr") else "a process runs in its place"  # is there a tool?
    expect(rows.get_by_role("row").filter(has_text="container image")).to_contain_text(size)
    expect(rows.get_by_role("row").filter(has_text="zip file")).to_contain_text("MB")
