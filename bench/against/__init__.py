"""Our build against another commit's: the same masks, and how fast."""
