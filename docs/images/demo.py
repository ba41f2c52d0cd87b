"""Draw the README's picture from a demo: python docs/images/demo.py winnow-demo/report.json."""

import json
import sys
from pathlib import Path

from matplotlib.figure import Figure

from curation.report.figures import PAPER, draw_map_bars, draw_precision_curve, style

if __name__ == "__main__":
    facts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with style():
        figure = Figure(figsize=(10, 3.8), facecolor=PAPER, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        draw_precision_curve(left, facts)
        draw_map_bars(right, facts)
        left.set_title("What the kept labels are worth", loc="left", fontsize=12)
        right.set_title("What a model learns from them", loc="left", fontsize=12)
        figure.savefig(Path(__file__).with_suffix(".png"), dpi=160, metadata={"Software": None})
