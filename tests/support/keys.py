"""Keys of objects that S3 allows, but that many programs handle wrongly."""

ODD_KEYS = (
    "with space.jpg",
    "plus+sign.jpg",
    "per%20cent%.jpg",
    "ünïcödé 日本.jpg",
    "emoji 😀.jpg",
    "a/b/../c",
    "no-extension",
    "#fragment?query=1&x.jpg",
)
