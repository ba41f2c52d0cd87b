"""The parts of a miniature web, and the rates of its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import quote

Naming: TypeAlias = Literal["words", "camera", "hash"]
SloganPosition: TypeAlias = Literal["heading", "caption", "alt", "footer"]
State: TypeAlias = Literal["whole", "cut", "missing"]


@dataclass(frozen=True)
class WorldSettings:
    """The size of the web and the rates of its errors.

    Sources err together: each page has its own chance that a picture shows its topic, and authors
    who do not look at a picture write about the topic. How often authors look differs by host and
    by label: each ``p_looked_…`` is the rate of an average host and label.

    Attributes
    ----------
    n_hosts, n_pages, n_figures
        Hosts, pages, and figures, each of which shows a picture (logos are extra).
    n_users, n_searches, n_votes
        Honest users; searches, of up to ten results each; judgements of a label by up-vote,
        down-vote or flag.
    n_brigade_users, n_brigade_votes
        Users who up-vote one label on pictures that do not show it, and the number of their votes.
    n_cut_files, n_missing_files
        Picture files that end early, and picture files that a page names but that do not exist.
    p_topic_shown
        Mean over pages of the chance that a picture shows the topic of its page.
    topic_concentration
        Sum of the two parameters of the beta distribution of that chance. Below 2, most pages show
        their topic on nearly all pictures or on nearly none.
    p_looked_alt, p_looked_caption, p_looked_filename, p_looked_surrounding
        Chance that the author of the text looked at the picture.
    looked_spread
        Standard deviation, over hosts and again over labels, of the log-odds of having looked.
    p_slip
        Mean over labels of the chance that an author who looked names a sibling.
    p_parent_named
        Chance that a text names a parent of the label meant.
    p_no_alt, p_caption
        Chance that a picture has no alternative text, and that it has a caption.
    p_words_host, p_camera_host
        Shares of hosts whose file names are descriptive, and as cameras give them; other names are
        hashes.
    p_spam_host
        Share of hosts that stuff alternative texts with names.
    p_slogan_host
        Share of hosts that repeat a slogan, which names one label, on every page.
    p_named_host
        Share of hosts with a label in their own name, which ends the titles of most of them.
    p_logo_host
        Share of hosts that show a logo on every page.
    p_reused
        Chance that a picture is one that was shown before: the same bytes.
    p_same_topic_link
        Chance that a link leads to a page with the same topic.
    p_dull_anchor
        Chance that the text of a link names nothing.
    p_vote_right
        Mean over users of the chance that a vote is right.
    p_replayed
        Chance that an event is in the log twice.
    """

    n_hosts: int = 40
    n_pages: int = 700
    n_figures: int = 3200
    n_users: int = 400
    n_searches: int = 2000
    n_votes: int = 9000
    n_brigade_users: int = 4
    n_brigade_votes: int = 3000
    n_cut_files: int = 3
    n_missing_files: int = 3
    p_topic_shown: float = 0.62
    topic_concentration: float = 0.8
    p_looked_alt: float = 0.6
    p_looked_caption: float = 0.85
    p_looked_filename: float = 0.95
    p_looked_surrounding: float = 0.25
    looked_spread: float = 0.8
    p_slip: float = 0.12
    p_parent_named: float = 0.12
    p_no_alt: float = 0.25
    p_caption: float = 0.55
    p_words_host: float = 0.6
    p_camera_host: float = 0.25
    p_spam_host: float = 0.1
    p_slogan_host: float = 0.25
    p_named_host: float = 0.4
    p_logo_host: float = 0.4
    p_reused: float = 0.06
    p_same_topic_link: float = 0.85
    p_dull_anchor: float = 0.2
    p_vote_right: float = 0.88
    p_replayed: float = 0.02


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

    Attributes
    ----------
    number, name
        Number in the list of the world, and host name.
    title, suffixed
        Name of the site, and whether every page's title ends with it.
    theme
        Key of `pipelines.demo.vocabulary.THEMES`.
    naming, separator
        Way of naming files, and the sign between the words of a name.
    slogan, slogan_position
        A text on every page, and its place there.
    spam
        Whether it stuffs alternative texts with names.
    tidy
        Whether its HTML is well formed.
    logo
        File of the logo, or None.
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


@dataclass(frozen=True)
class World:
    """A whole web.

    `pictures` are the labels that each picture shows, the main one first; a logo shows none.
    `brigade_label_id` is the label that the brigade votes for.
    """

    seed: int
    settings: WorldSettings
    pictures: tuple[tuple[str, ...], ...]
    files: tuple[ImageFile, ...]
    hosts: tuple[Host, ...]
    pages: tuple[Page, ...]
    events: tuple[Event, ...]
    brigade_label_id: str

    def image_url(self, file: int) -> str:
        """Return the URL of a picture file."""
        entry = self.files[file]
        return f"https://{self.hosts[entry.host].name}/images/{quote(entry.name.text)}"

    def page_url(self, page: int) -> str:
        """Return the URL of a page."""
        return f"https://{self.hosts[self.pages[page].host].name}/{self.pages[page].name}"
