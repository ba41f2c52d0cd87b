"""English function words."""

_FUNCTION_WORDS = """
a about above across after against all along although am among amongst an and another any are
around as at be because been before behind being below beneath beside besides between beyond both
but by can could despite did do does doing done during each either else ever every except few for
from had has have having he hence her here hers herself him himself his how however i if in inside
into is it its itself just less many may me might mine more most much must my myself near neither
never no nobody none nor not nothing of off often on once one only onto or other others ought our
ours ourselves out outside over own per quite rather same several shall she should since so some
somebody someone something still such than that the their theirs them themselves then there
therefore these they this those though through throughout thus till to together too toward towards
under until unto up upon us very via was we were what whatever when whenever where wherever
whether which while who whoever whom whose why will with within without would yes yet you your
yours yourself yourselves
"""

FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English articles, pronouns, prepositions, conjunctions, auxiliaries and adverbs of degree.

These are closed classes (Quirk et al., A Comprehensive Grammar of the English Language, 1985,
section 2.39): they have no new members, so that the list is valid for every set of texts. A label
whose name is such a word ("in" for inch, "he" for helium, "can") is not named by the word alone."""
