"""What a miniature web consists of, and the rates of its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import quote

Naming: TypeAlias = Literal["words", "camera", "hash"]
Place: TypeAlias = Literal["heading", "caption", "alt", "footer"]
State: TypeAlias = Literal["whole", "cut", "missing"]


@dataclass(frozen=True)
class WorldSettings:
    """The size of the web and the rates of its errors.

    Sources err together: whether the pictures of a page show what it is about is a rate of the
    page, and writers who do not look at a picture write what the page is about. How often writers
    look differs by host and by label: each ``p_looked_…`` is the rate of an average host and label.

    Attributes
    ----------
    n_hosts, n_pages, n_figures
        Hosts, pages, and places where a picture is shown (logos come on top).
    n_users, n_searches, n_votes
        Honest users; searches, of up to ten results each; judgements of a label by up-vote,
        down-vote or flag.
    n_brigade_users, n_brigade_votes
        Users who up-vote one label on pictures that do not show it, and how often in all.
    n_cut_files, n_missing_files
        Picture files that end early, and picture files that a page names but that do not exist.
    p_topic_shown
        Mean over pages of the chance that a picture shows the topic of its page.
    topic_concentration
        How alike pages are in that: the sum of the two parameters of a beta distribution. Below 2,
        most pages show their topic on nearly all pictures or on nearly none.
    p_looked_alt, p_looked_caption, p_looked_filename, p_looked_surrounding
        Chance that whoever wrote the text looked at the picture.
    looked_spread
        Standard deviation, over hosts and again over labels, of the log-odds of having looked.
    p_slip
        Mean over labels of the chance that a writer who looked names a sibling.
    p_parent_named
        Chance that a text names a parent of the label meant.
    p_no_alt, p_caption
        Chance that a picture has no alternative text, and that it has a caption.
    p_words_host, p_camera_host
        Share of hosts whose file names are descriptive, and as cameras name them; the rest name
        files by hashes.
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
        Chance that an event stands in the log twice.
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
    """A text, and the labels that its writer meant (a reader may understand others)."""

    text: str
    label_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """One picture: what it shows, the main thing first; a logo shows nothing."""

    label_ids: tuple[str, ...]


@dataclass(frozen=True)
class ImageFile:
    """A picture as a file of a host; `host` and `picture` are places in the lists of the world."""

    host: int
    picture: int
    name: Phrase
    state: State = "whole"


@dataclass(frozen=True)
class Figure:
    """A picture on a page; `file` is a place in the list of the world."""

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
class Link:
    """A hyperlink to a page, which is a place in the list of the world."""

    page: int
    anchor: Phrase


@dataclass(frozen=True)
class Host:
    """A site and its habits.

    Attributes
    ----------
    name
        Host name.
    title
        What the site calls itself; `suffixed` hosts end every page's title with it.
    theme
        Key of `pipelines.demo.vocabulary.THEMES`.
    naming, separator
        How files are named, and what stands between the words of a name.
    slogan, slogan_place
        A text on every page, and where.
    spam
        Does it stuff alternative texts?
    tidy
        Is its HTML well formed?
    logo
        File of the logo, or None.
    """

    name: str
    title: Phrase
    suffixed: bool
    theme: str
    naming: Naming
    separator: str
    slogan: Phrase | None
    slogan_place: Place
    spam: bool
    tidy: bool
    logo: int | None


@dataclass(frozen=True)
class Plan:
    """What a page will be about, how often its pictures show that, and how many there are."""

    host: int
    theme: str
    is_index: bool
    topic: str
    p_topic_shown: float
    n_figures: int


@dataclass(frozen=True)
class Page:
    """One page; the first page of each host is its ``index.html``."""

    host: int
    name: str
    topic: str
    title: Phrase
    heading: Phrase
    sections: tuple[Section, ...]
    links: tuple[Link, ...]
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
    """A whole web; `brigade_label_id` is the label that the brigade votes for."""

    seed: int
    settings: WorldSettings
    pictures: tuple[Picture, ...]
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
