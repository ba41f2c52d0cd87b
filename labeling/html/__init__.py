"""HTML pages to texts about their images, and links."""
