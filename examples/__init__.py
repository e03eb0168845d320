"""Worked examples: each folder has a README, and a run.sh that does what is said there."""
