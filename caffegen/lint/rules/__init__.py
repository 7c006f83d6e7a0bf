"""One net-level rule per file; the file is named for the flaw, as is its page in the catalogue."""
