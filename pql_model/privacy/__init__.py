"""Where rows about one entity lie in the files that pql writes, and how they are removed."""
