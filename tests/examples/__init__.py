"""The worked examples do what their pages say."""
