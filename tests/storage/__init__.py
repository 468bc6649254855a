"""Files: a plain writer and reader of the tests' own are in `files`."""
