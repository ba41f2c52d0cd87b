"""Objects that the threads of a worker share: taxonomies and matchers, by their content."""
