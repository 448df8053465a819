"""The page of the thumbnail example: upload pictures, and see the thumbnail and the item of each."""

from console.picture_page import PicturePage


class Page(PicturePage):
    """The page of the thumbnail example."""
