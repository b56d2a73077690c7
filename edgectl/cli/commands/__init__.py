"""One file a command: arguments in, result out."""
