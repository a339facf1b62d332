"""Transactions on disk, written before the first change."""
