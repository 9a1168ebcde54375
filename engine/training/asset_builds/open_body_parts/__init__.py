"""Steps in which `build_open_body` makes the open body. Needs the extra `body`; not used at run time."""
