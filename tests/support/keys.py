"""S3 allows these object keys, but many programs handle them wrongly."""

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
