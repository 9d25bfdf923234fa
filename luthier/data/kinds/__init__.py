"""One file for each problem type, named after it: how its rows are found, read, checked and described."""
