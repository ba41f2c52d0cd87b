"""Tables as people hold them: pandas or Arrow, and their view in a notebook."""
