"""Ways in which logged experience goes wrong in practice. Nothing here knows of rules or audits."""
