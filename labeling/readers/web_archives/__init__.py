"""Web archives: WARC, ARC, WAT and WACZ files to pages and images."""
