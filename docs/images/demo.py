"""Draw the README's picture from a demo: python docs/images/demo.py winnow-demo/report.json."""

import json
import sys
from pathlib import Path

from curation.report.figures import summary_png

if __name__ == "__main__":
    facts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    summary_png(facts, Path(__file__).with_suffix(".png"))
