"""Maintenance: rewriting the files of an archive's tables so that no row is lost and no writer disturbed."""
