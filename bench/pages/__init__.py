"""How findings become a page, for everything in the bench: tables, words, pictures, files."""
