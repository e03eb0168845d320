"""What the files for containers say: no engine runs them here, so their structure is checked."""
