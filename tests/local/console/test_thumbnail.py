"""These tests upload, reject and remove pictures on the page of the thumbnail example, in a browser."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from local.project import PHOTO
from tests.local.console.conftest import OpenPage
from tests.support.browser import needs_browser
from tests.support.deployment import Deployment

PATH = "/examples/thumbnail"
PREFIX = "console/"
HOSTILE_NAME = """<img src=x onerror="document.title='run'"> & 'é' #1?.jpg"""
ADD_FILES = """([names, bytes]) => {
    const dropped = new DataTransfer();
    for (const name of names) { dropped.items.add(new File([new Uint8Array(bytes)], name)); }
    return dropped;
}"""


@pytest.fixture
def s3(deployment: Deployment) -> Any:
    return deployment.client("s3")


@pytest.fixture
def bucket(deployment: Deployment, s3: Any) -> Iterator[str]:
    """Yield the bucket of the uploads. At the end of the test, delete the objects that the test made."""
    name = deployment.outputs("thumbnail")["UploadsBucketName"]
    before = _keys(s3, name)
    yield name
    if made := _keys(s3, name) - before:
        s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": key} for key in made]})


def _keys(s3: Any, bucket: str) -> set[str]:
    return {found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}


def _card(page: Page, key: str) -> Locator:
    return page.get_by_role("article", name=key, exact=True)


@needs_browser
@pytest.mark.usefixtures("bucket")
def test_a_chosen_picture_becomes_a_thumbnail_until_a_person_removes_it(open_page: OpenPage) -> None:
    page = open_page(PATH)
    page.get_by_label("Files").set_input_files(
        {"name": HOSTILE_NAME, "mimeType": "image/jpeg", "buffer": PHOTO.read_bytes()}
    )
    expect(page.get_by_text("1 of 1 uploaded")).to_be_visible()
    card = _card(page, HOSTILE_NAME)
    expect(card).to_contain_text("JPEG, 600 \N{MULTIPLICATION SIGN} 400 pixels, 64,474 bytes")
    expect(card.get_by_text("made", exact=True)).to_be_visible()
    expect(card.get_by_role("img")).to_have_js_property("naturalWidth", 256)
    card.get_by_role("button").click()
    expect(page.locator("#outcome")).to_contain_text(f"{HOSTILE_NAME} is removed")
    expect(card).to_have_count(0)
    assert page.title() == "thumbnail"


@needs_browser
@pytest.mark.usefixtures("bucket")
def test_dropped_files_are_uploaded_and_a_text_file_is_rejected(open_page: OpenPage) -> None:
    page = open_page(PATH)
    dropped = page.evaluate_handle(ADD_FILES, [["letter.jpg", "second letter.jpg"], list(b"Dear Sir")])
    page.locator("[data-upload]").dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.get_by_text("2 of 2 uploaded")).to_be_visible()
    for name in ("letter.jpg", "second letter.jpg"):
        expect(_card(page, name)).to_contain_text("The file is not a picture in a supported format")


@needs_browser
def test_all_files_of_a_dropped_folder_are_uploaded(open_page: OpenPage, s3: Any, bucket: str, tmp_path: Path) -> None:
    folder = tmp_path / "holiday" / "día 1"
    folder.mkdir(parents=True)
    names = [f"{number}.txt" for number in range(120)]  # the browser returns at most 100 entries at a time
    for name in names:
        (folder / name).touch()
    page = open_page(PATH)
    box = page.locator("[data-upload]").bounding_box()
    assert box
    position = {"x": box["x"] + 5, "y": box["y"] + 5}
    data = {"items": [], "files": [str(tmp_path / "holiday")], "dragOperationsMask": 1}
    protocol = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        protocol.send("Input.dispatchDragEvent", {"type": kind, **position, "data": data})
    expect(page.get_by_text("120 of 120 uploaded")).to_be_visible(timeout=20_000)
    assert {f"holiday/día 1/{name}" for name in names} <= _keys(s3, bucket)


@needs_browser
def test_the_files_of_a_chosen_folder_keep_their_paths(
    open_page: OpenPage, s3: Any, bucket: str, tmp_path: Path
) -> None:
    folder = tmp_path / "holiday" / "día 1"
    folder.mkdir(parents=True)
    for number in range(6):
        Image.new("RGB", (8, 8)).save(folder / f"{number}.png")
    page = open_page(PATH)
    page.get_by_label("A folder").set_input_files(tmp_path / "holiday")
    expect(page.get_by_text("6 of 6 uploaded")).to_be_visible()
    assert {f"holiday/día 1/{number}.png" for number in range(6)} <= _keys(s3, bucket)


@needs_browser
def test_a_file_over_the_limit_is_not_uploaded(open_page: OpenPage, s3: Any, bucket: str) -> None:
    page = open_page(PATH)
    page.locator("[data-upload]").evaluate("(area) => { area.dataset.maxBytes = 10; }")
    page.get_by_label("Files").set_input_files(
        {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": PHOTO.read_bytes()}
    )
    expect(page.get_by_text("0 of 1 uploaded, 1 failed")).to_be_visible()
    expect(page.get_by_text("large.jpg: The page accepts at most")).to_be_visible()
    assert "large.jpg" not in _keys(s3, bucket)


@needs_browser
def test_the_page_shows_the_newest_of_two_hundred_pictures(open_page: OpenPage, s3: Any, bucket: str) -> None:
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "PNG")
    page = open_page(PATH)
    with ThreadPoolExecutor(4) as threads:
        keys = [f"{PREFIX}{number:03}.png" for number in range(200)]
        list(threads.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=content.getvalue()), keys))
    # When the page shows this picture, it has read a list with all pictures. An older list has other cards.
    s3.put_object(Bucket=bucket, Key=f"{PREFIX}last.png", Body=content.getvalue())
    expect(_card(page, f"{PREFIX}last.png")).to_be_visible(timeout=30_000)
    expect(page.locator("#live-pictures .card")).to_have_count(50)
    expect(page.get_by_text("This page shows the newest 50.")).to_be_visible()
    expect(page.locator("#live-pictures .state.good")).to_have_count(50, timeout=30_000)
    page.locator("#live-pictures > li").evaluate_all("(items) => { window.before = items; }")
    s3.put_object(Bucket=bucket, Key=f"{PREFIX}new.png", Body=content.getvalue())
    expect(_card(page, f"{PREFIX}new.png")).to_contain_text("PNG, 8 \N{MULTIPLICATION SIGN} 8 pixels")
    kept = page.evaluate("window.before.filter((item) => item.isConnected).length")
    assert kept == 49, "a new picture must not replace the cards of the other pictures"


def test_an_uploaded_page_is_served_as_a_file_without_scripts(console_url: str, s3: Any, bucket: str) -> None:
    key = f"{PREFIX}../page.html"
    s3.put_object(Bucket=bucket, Key=key, Body=b"<script>alert(1)</script>", ContentType="text/html")
    answer = requests.get(f"{console_url}{PATH}/pictures", params={"key": key}, timeout=10)
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["pictures", "thumbnails"])
@pytest.mark.parametrize(("parameters", "status"), [({}, 400), ({"key": "missing"}, 404)])
def test_a_missing_object_is_not_found(console_url: str, path: str, parameters: dict[str, str], status: int) -> None:
    assert requests.get(f"{console_url}{PATH}/{path}", params=parameters, timeout=10).status_code == status


@pytest.mark.parametrize("key", ["", "é" * 513])
def test_an_upload_needs_a_key_that_s3_allows(console_url: str, key: str) -> None:
    headers = {"Origin": console_url}
    answer = requests.put(f"{console_url}{PATH}/pictures", params={"key": key}, headers=headers, data=b"x", timeout=10)
    assert (answer.status_code, answer.text) == (400, "S3 allows keys of 1 to 1,024 bytes.\n")


@needs_browser
def test_dead_letters_are_shown_as_text_and_stay_in_the_queue(open_page: OpenPage, deployment: Deployment) -> None:
    sqs, queue = deployment.client("sqs"), deployment.outputs("thumbnail")["DeadLetterQueueUrl"]
    page = open_page(PATH)
    expect(page.get_by_text("There are no dead letters.")).to_be_visible()
    sqs.send_message(QueueUrl=queue, MessageBody="<b>failed</b>")
    try:
        expect(page.get_by_role("region", name="Dead letter 1")).to_have_text("<b>failed</b>")
        (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    finally:
        sqs.purge_queue(QueueUrl=queue)
    assert message["Body"] == "<b>failed</b>"
