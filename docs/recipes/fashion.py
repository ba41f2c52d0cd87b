"""Prepare the fashion recipe: a shop's photos and titles, as a crawl of its product pages.

    python docs/recipes/fashion.py fashion_dev.tar.gz fashion

writes into the folder ``fashion``:

- ``images/``: the photos;
- ``products.csv``: image, title, page: what the shop wrote under each photo;
- ``links.csv``: each product page links to the three before and the three after it;
- ``taxonomy.jsonl``: the shop's categories, colours, seasons and so on, as labels, each below a
  label without names for the kind;
- ``truth.csv``: the labels that the shop's staff gave to each product, used to answer audits and
  to evaluate, never to label.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import tarfile
from collections import defaultdict
from pathlib import Path

from labeling.keys import ids

CATEGORIES = ("masterCategory", "subCategory", "articleType")
FACETS = ("gender", "baseColour", "season", "usage")
NEIGHBOURS = 3

Product = dict[str, str]


def main() -> None:
    """Read the arguments and write the folder."""
    parser = argparse.ArgumentParser(description="Prepare the fashion recipe.")
    parser.add_argument("archive", type=Path, help="fashion_dev.tar.gz")
    parser.add_argument("out", type=Path, help="folder to write")
    arguments = parser.parse_args()
    (arguments.out / "images").mkdir(parents=True)
    products = _unpack(arguments.archive, arguments.out)
    _write_products(products, arguments.out)
    _write_links(products, arguments.out)
    _write_taxonomy(products, arguments.out)
    _write_truth(products, arguments.out)
    print(f"{len(products):,} products in {arguments.out}")


def label_id(kind: str, name: str) -> str:
    """Return the id of one value of a column: ``articleType:casual-shoes``."""
    return f"{kind}:{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}"


def labels_of(product: Product) -> list[str]:
    """Return the labels that the staff gave to a product."""
    return [
        label_id(kind, product[kind]) for kind in (*CATEGORIES, *FACETS) if _given(product[kind])
    ]


def _given(value: str) -> bool:
    return value not in ("", "NA")


def _unpack(archive: Path, out: Path) -> list[Product]:
    products: list[Product] = []
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is None:
                continue
            if member.name.endswith(".csv"):
                lines = content.read().decode("utf-8").splitlines()
                products = list(csv.DictReader(lines))
            else:
                (out / "images" / Path(member.name).name).write_bytes(content.read())
    return sorted(products, key=lambda product: int(product["id"]))


def _write_products(products: list[Product], out: Path) -> None:
    rows = [(f"images/{p['id']}.jpg", p["title"], _page(p)) for p in products]
    _write_csv(out / "products.csv", ("image", "title", "page"), rows)


def _write_links(products: list[Product], out: Path) -> None:
    rows = [
        (_page(product), _page(other))
        for index, product in enumerate(products)
        for other in products[index + 1 : index + 1 + NEIGHBOURS]
    ]
    _write_csv(out / "links.csv", ("src", "dst"), rows)


def _write_taxonomy(products: list[Product], out: Path) -> None:
    names: dict[str, str] = {}
    parents: dict[str, set[str]] = defaultdict(set)
    for product in products:
        for kind in (*CATEGORIES, *FACETS):
            if _given(product[kind]):
                names[label_id(kind, product[kind])] = product[kind]
        for kind in (CATEGORIES[0], *FACETS):
            if _given(product[kind]):
                parents[label_id(kind, product[kind])].add(kind)
        for above, below in zip(CATEGORIES, CATEGORIES[1:], strict=False):
            parents[label_id(below, product[below])].add(label_id(above, product[above]))
    lines = [
        json.dumps({"id": label, "names": [names[label]], "parents": sorted(parents[label])})
        for label in sorted(names)
    ]
    lines += [json.dumps({"id": kind, "names": []}) for kind in (CATEGORIES[0], *FACETS)]
    (out / "taxonomy.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_truth(products: list[Product], out: Path) -> None:
    rows = []
    for product in products:
        image_id = ids.digest((out / "images" / f"{product['id']}.jpg").read_bytes())
        rows += [(image_id, label) for label in labels_of(product)]
    _write_csv(out / "truth.csv", ("image_id", "label_id"), sorted(set(rows)))


def _page(product: Product) -> str:
    return f"https://shop.example/product/{product['id']}"


def _write_csv(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
