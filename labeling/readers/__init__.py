"""Files of every kind to rows: web archives, sites, tables, tars and graphs."""
