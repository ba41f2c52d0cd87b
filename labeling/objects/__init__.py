"""Objects of a store, such as ``s3://bucket/x.warc.gz``, read as files are."""
