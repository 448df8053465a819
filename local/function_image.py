"""Shows the function_image example at work: a function in an image makes a thumbnail, and rejects a text file."""

from local.deployment import LocalDeployment
from local.thumbnail import suggestions, upload
from localaws.aws import LocalError

__all__ = ["TITLE", "exercise", "suggestions"]
TITLE = "the same thumbnail function as a container image"


def exercise(deployment: LocalDeployment, outputs: dict[str, str]) -> None:
    """Upload the photo and a text file, and wait for their items. Raises LocalError if an item is wrong or missing."""
    tool, photo = deployment.engine.tool, deployment.photo
    print(f"    the function runs as a {'container of ' + tool.name if tool else f'process ({tool.why})'}")
    item = upload(deployment, outputs, f"photos/{photo.name}", photo.read_bytes())
    print(f"        {item['status']}, {item.get('thumbnail_bytes', 0)} bytes")
    item = upload(deployment, outputs, "letters/letter.jpg", b"Dear Sir or Madam")
    if item["status"] != "rejected":
        raise LocalError(f"the function did not reject a text file. Its item: {item}")
    print(f"        {item['status']}: {item['reason']}")
