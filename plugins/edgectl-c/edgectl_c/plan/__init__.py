"""From a program to a schedule of rows and a place in the arena for every tensor."""
