"""One file a format; the file's name is the format's name. See ``luthier.data.rows.Reader`` for what each offers."""
