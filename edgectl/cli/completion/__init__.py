"""What Tab offers: an index of the command line, kept, and the program that answers from it."""
