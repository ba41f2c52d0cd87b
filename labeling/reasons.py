"""Reasons of the rejects of inputs: the table ``rejects`` of ``signals`` and of ``images``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

INPUT_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "truncated": "a file or record that is cut or damaged: what precedes it is used",
        "bad_file": "a file that cannot be read at all",
        "bad_row": "a row or line that cannot be read, with a malformed value or a key twice",
        "no_image": "a row or sample without an image",
        "image_missing": "an image by a path or on a page of a site, without a file",
        "empty_image": "an image of no bytes",
        "lfs_pointer": "an image that is a pointer of Git LFS or git-annex to its content",
        "bad_sha256": "a digest of a table of images that is not 64 hexadecimal digits",
        "content_changed": "an image whose content is not that of the digest in a table of images",
        "bad_weight": "a weight that is not a number from 0 to 1",
        "no_page": "a link without one of its pages",
        "unknown_kind": "an event of an unknown kind",
        "unknown_label": "an event about a label that the taxonomy lacks",
        "no_label": "an event without a label and without a query",
        "no_user": "an event without a user",
        "duplicate_vertex": "a vertex of a graph with the id of an earlier one",
        "unknown_vertex": "an edge of which a vertex is not among the vertices",
        "incomplete_sample": "a sample of a WebDataset without any of the texts",
        "duplicate_key": "a sample with the key, or a member with the name, of an earlier one",
        "bad_text": "a text of a sample that is not UTF-8 or JSON, or is twice in it",
        "bad_member": "a member of a tar with a damaged header",
        "ignored_members": "links and sparse files of a tar, and what operating systems add",
        "bad_record": "a record or page that cannot be parsed or unpacked",
        "bad_body": "a body of a response that is cut, damaged or empty, or in an unknown coding",
        "shared_member": "records of an archive that was compressed as a whole",
        "too_large": "a record, page, image or text above its size limit",
        "bad_url": "an invalid URL of a record, page, image or link",
        "bad_entry": "a part of the metadata of a page in a WAT file, of a wrong type",
        "bad_json_ld": "a script of JSON-LD that is not JSON",
        "guessed_charset": "no loss: a page that is read in the charset that its bytes suggest",
        "too_many_links": "links of a page beyond the most",
        "too_many_images": "images of a page beyond the most",
        "too_many_tags": "a page after its first tags, beyond the most",
        "too_many_rows": "rows of an image, a page or a user beyond the most",
    }
)
