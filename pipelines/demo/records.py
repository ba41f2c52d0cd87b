"""The parts of a miniature web."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import quote

Naming: TypeAlias = Literal["words", "camera", "hash"]
SloganPosition: TypeAlias = Literal["heading", "caption", "alt", "footer"]
State: TypeAlias = Literal["whole", "cut", "missing"]


@dataclass(frozen=True)
class WorldSettings:
    """The size of the web; the rates of its errors are where they are drawn.

    Attributes
    ----------
    n_hosts, n_pages, n_figures
        Hosts, pages, and figures, each of which shows a picture (logos are extra).
    n_users, n_searches, n_votes
        Honest users; searches, of up to ten results each; judgements of a label by up-vote,
        down-vote or flag.
    n_brigade_votes
        Up-votes of a few users for one label, on pictures that do not show it.
    n_cut_files, n_missing_files
        Picture files that end early, and picture files that a page names but that do not exist.
    """

    n_hosts: int = 40
    n_pages: int = 700
    n_figures: int = 3200
    n_users: int = 400
    n_searches: int = 2000
    n_votes: int = 9000
    n_brigade_votes: int = 3000
    n_cut_files: int = 3
    n_missing_files: int = 3


@dataclass(frozen=True)
class Phrase:
    """A text, and the labels that its author meant (a reader may understand others)."""

    text: str
    label_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageFile:
    """A picture as a file of a host; `host` and `picture` are numbers in the lists of the world."""

    host: int
    picture: int
    name: Phrase
    state: State = "whole"


@dataclass(frozen=True)
class Figure:
    """A picture on a page; `file` is a number in the list of the world."""

    file: int
    alt: Phrase | None
    caption: Phrase | None


@dataclass(frozen=True)
class Section:
    """A heading, a paragraph and some pictures."""

    heading: Phrase | None
    text: Phrase
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Host:
    """A site and its habits.

    The titles of pages end with `title` where it is `suffixed`. `theme` is a key of
    `pipelines.demo.vocabulary.THEMES`, `separator` is between the words of the names of files, and
    `slogan` is on every page. A site with `spam` stuffs alternative texts with names, one that is
    not `tidy` has faulty HTML. `logo` is a number in the list of files.
    """

    number: int
    name: str
    title: Phrase
    suffixed: bool
    theme: str
    naming: Naming
    separator: str
    slogan: Phrase | None
    slogan_position: SloganPosition
    spam: bool
    tidy: bool
    logo: int | None


@dataclass(frozen=True)
class PagePlan:
    """A page to make: its topic, the chance that a picture shows it, and the number of pictures."""

    host: Host
    is_index: bool
    topic: str
    p_topic_shown: float
    n_figures: int


@dataclass(frozen=True)
class Page:
    """One page; the first page of each host is its ``index.html``.

    `links` are pairs of a page's number in the list of the world and the text of the link.
    """

    host: int
    name: str
    topic: str
    title: Phrase
    heading: Phrase
    sections: tuple[Section, ...]
    links: tuple[tuple[int, Phrase], ...]
    encoding: str


@dataclass(frozen=True)
class Event:
    """One row of the feedback log; `time` is in seconds since 1970-01-01 UTC."""

    event_id: str
    picture: int
    label_id: str
    query: str
    kind: str
    user: str
    position: int | None
    time: int


@dataclass
class World:
    """A whole web.

    `pictures` are the labels that each picture shows, the main one first; a logo shows none.
    `brigade_label_id` is the label that the brigade votes for.
    """

    seed: int
    pictures: list[tuple[str, ...]] = field(default_factory=list)
    files: list[ImageFile] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    brigade_label_id: str = ""

    def image_url(self, file: int) -> str:
        """Return the URL of a picture file."""
        entry = self.files[file]
        return f"https://{self.hosts[entry.host].name}/images/{quote(entry.name.text)}"

    def page_url(self, page: int) -> str:
        """Return the URL of a page."""
        return f"https://{self.hosts[self.pages[page].host].name}/{self.pages[page].name}"
