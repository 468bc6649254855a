"""Networks and settings with which provable filter pruning was published."""
