"""Which tensor costs what: measured tensor by tensor, named in words, drawn on one page."""
