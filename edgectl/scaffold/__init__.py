"""``edgectl plugins new``: working plugin projects, from the templates beside this file."""
