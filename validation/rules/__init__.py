"""The kinds of rules, one file for each family; `registry` lists them."""
