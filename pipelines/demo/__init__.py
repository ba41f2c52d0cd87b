"""A miniature web with known truth: drawn pictures, pages, links and feedback, with real errors."""
