"""Candidate labels of images, from signals, links and feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labeling.errors import BusyError as BusyError
    from labeling.errors import ConfigError as ConfigError
    from labeling.errors import EngineError as EngineError
    from labeling.errors import InputError as InputError
    from labeling.errors import IntegrityError as IntegrityError
    from labeling.errors import QualityError as QualityError
    from labeling.errors import StoreError as StoreError
    from labeling.errors import WinnowError as WinnowError
    from labeling.frames.signals import signals_from_texts as signals_from_texts
    from labeling.frames.signals import signals_from_warc as signals_from_warc
    from labeling.html.page import Page as Page
    from labeling.html.page import read_page as read_page
    from labeling.matching.matcher import Matcher as Matcher
    from labeling.matching.matcher import compile_matcher as compile_matcher
    from labeling.matching.matcher import find as find
    from labeling.taxonomy.published import TaxonomyFiles as TaxonomyFiles
    from labeling.taxonomy.published import read_taxonomy as read_taxonomy
    from labeling.taxonomy.taxonomy import Label as Label
    from labeling.taxonomy.taxonomy import Taxonomy as Taxonomy
    from labeling.taxonomy.taxonomy import build_taxonomy as build_taxonomy
else:
    from labeling.exports import lazy_exports

    __all__, __getattr__, __dir__ = lazy_exports(__name__)
