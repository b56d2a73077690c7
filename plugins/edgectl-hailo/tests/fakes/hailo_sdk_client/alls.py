"""Grammar of model scripts: a command a line, ``[name =] command(positional, keyword=value)``."""

from __future__ import annotations

import re

_LINE = re.compile(r"(?:(?P<name>\w+)\s*=\s*)?(?P<command>\w+)\((?P<words>.*)\)")
_CONVERSIONS = {"bgr_to_rgb", "yuv_to_rgb", "nv12_to_rgb"}


class ScriptError(Exception):
    pass


def parse_script(text, layers):
    """[(command, positional, keywords)]."""
    commands, names = [], []
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ScriptError(f"cannot parse: {line}")
        if match["command"] not in _CHECKS:
            raise ScriptError(f"no command {match['command']}")
        positional, keywords = _words(match["words"])
        _CHECKS[match["command"]](match["name"], positional, keywords, layers)
        if match["name"]:
            names.append(match["name"])
        commands.append((match["command"], positional, keywords))
    if len(set(names)) < len(names):
        raise ScriptError("a name is given twice")
    if sum(c[0] == "normalization" for c in commands) > 1:
        raise ScriptError("normalized twice")
    return commands


def _words(text):
    """Split at commas outside of brackets."""
    parts = [w.strip() for w in re.split(r",(?![^\[]*\])", text)] if text else []
    positional, keywords = [], {}
    for part in parts:
        key, equals, value = part.partition("=")
        if equals:
            keywords[key.strip()] = _value(value.strip())
        elif keywords:
            raise ScriptError("positional argument after a keyword")
        else:
            positional.append(_value(part))
    return positional, keywords


def _value(word):
    if word.startswith("["):
        return [float(v) for v in word.strip("[]").split(",")]
    try:
        return int(word)
    except ValueError:
        return word


def _require(condition, message):
    if not condition:
        raise ScriptError(message)


def _only(keywords, *known):
    for key in keywords:
        _require(key in known, f"No argument named {key}")


def _normalization(name, positional, keywords, layers):
    _require(name, "normalization makes a layer, which needs a name")
    _require(len(positional) == 2 and not keywords, "mean and std")
    _require(all(len(v) == 3 for v in positional), "three channels")
    _require(all(s > 0 for s in positional[1]), "std")


def _input_conversion(name, positional, keywords, layers):
    _require(name, "input_conversion makes a layer, which needs a name")
    _require(len(positional) == 1 and positional[0] in _CONVERSIONS, "unknown conversion")


def _flavor(name, positional, keywords, layers):
    _only(keywords, "optimization_level", "compression_level", "batch_size")
    _require(not positional, "keywords only")
    _require(keywords.get("optimization_level", 0) in range(5), "optimization_level")
    _require(keywords.get("compression_level", 0) in range(6), "compression_level")


def _config(name, positional, keywords, layers):
    _require(positional == ["calibration"], "which configuration")
    _only(keywords, "batch_size", "calibset_size")
    _require(keywords.get("batch_size", 8) <= keywords.get("calibset_size", 64), "batch_size")


def _post(name, positional, keywords, layers):
    _require(positional == ["finetune"], "which algorithm")
    _only(keywords, "policy", "dataset_size", "epochs", "learning_rate", "batch_size")
    _require(keywords["policy"] in ("enabled", "disabled"), "policy")


def _performance(name, positional, keywords, layers):
    _only(keywords, "compiler_optimization_level")
    _require(keywords["compiler_optimization_level"] in ("max", 0, 1, 2), "level")


_CHECKS = {
    "normalization": _normalization,
    "input_conversion": _input_conversion,
    "model_optimization_flavor": _flavor,
    "model_optimization_config": _config,
    "post_quantization_optimization": _post,
    "performance_param": _performance,
}
