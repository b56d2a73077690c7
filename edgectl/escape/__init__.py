"""Text from users, data sets and files of others, put into something that is read as code.

One module a language, and no other place that does it. What the standard library does well is used as it is:
``html.escape`` in HTML, ``shlex.join`` in shell scripts; ``tomli_w`` writes TOML, ``json`` JSON.
"""
