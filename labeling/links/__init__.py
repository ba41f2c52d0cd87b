"""Links between pages to evidence."""
