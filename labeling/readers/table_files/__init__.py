"""Tables in CSV, JSON Lines and Parquet files, and graphs in text files."""
